"""The site: its navigation names every page, every link leads somewhere, the API has all public names."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest
from shown import DOCS, ROOT, text_of

import ganvas

PAGES = sorted(DOCS.rglob("*.md"))
HELD = {DOCS / "index.md": ROOT / "README.md", DOCS / "changes.md": ROOT / "CHANGELOG.md"}
READ = [
    *(p for p in PAGES if p not in HELD and p.parent.name != "examples"),
    *HELD.values(),
    *(ROOT / "examples").glob("*/README.md"),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def configured() -> dict[str, str]:
    """What docs/conf.py says of files beyond docs/."""
    spec = importlib.util.spec_from_file_location("conf_of_docs", DOCS / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site name them."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_navigation_names_every_page() -> None:
    named = {"index"}
    for page in (DOCS / "index.md", DOCS / "decisions.md"):
        for body in re.findall(r"^```{toctree}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL):
            for line in body.splitlines():
                if line and not line.startswith(":"):
                    name = line.partition("<")[2].rstrip(">") or line
                    found = [p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.glob(f"{name}.md")]
                    assert found, f"{page.name} names {name}, which is not there"
                    named |= {*found}
    assert named == {p.relative_to(DOCS).with_suffix("").as_posix() for p in PAGES}


@pytest.mark.parametrize("page", READ, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    pages = configured()
    for target, anchor in LINK.findall(re.sub(r"`[^`\n]*`", "", text_of(page))):
        place = Path(os.path.normpath(page.parent / target)) if target else page
        name = place.relative_to(ROOT).as_posix()
        assert place.exists(), f"{page.name}: {target}"
        assert place.is_file() or name in pages, f"{page.name}: {target} is a folder, and has no page"
        if place.suffix == ".md":
            assert DOCS in place.parents or name in pages, f"{page.name}: {target} is not on the site"
            assert not anchor or anchor in anchors(place), f"{page.name}: {target} has no heading {anchor}"


def test_files_beyond_docs_have_their_pages() -> None:
    for name, page in configured().items():
        assert (ROOT / name).exists()
        held = re.fullmatch(r"<!-- the text of (\S+) -->", text_of(DOCS / page).splitlines()[0])
        assert held is not None
        assert held[1] in (name, f"{name}/README.md")


def test_the_api_names_all_public_names() -> None:
    named = re.findall(r"^\.\. (?:auto\w+|data):: (\w+)$", text_of(DOCS / "api.md"), re.MULTILINE)
    assert sorted(named) == sorted(ganvas.__all__)


def test_no_font_or_script_is_fetched() -> None:
    text = text_of(DOCS / "conf.py")
    assert not re.findall(r"https?://", text)
