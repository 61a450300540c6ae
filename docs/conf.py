"""How `make docs` builds the site: Sphinx, the pages of this folder, and the API from the docstrings.

A warning fails the build, and nothing is fetched while it runs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import ganvas

project = "Ganvas"
version = release = ganvas.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Ganvas {version}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False

myst_heading_anchors = 4  # the anchors of headings, named as GitHub names them

default_role = "code"  # `name` in a docstring
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False

ROOT = Path(__file__).resolve().parent.parent
PAGES = {  # files and folders beyond docs/ that have a page
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "examples/cluster": "examples/cluster.md",
    "examples/cluster/README.md": "examples/cluster.md",
    "examples/orders/README.md": "examples/orders.md",
}
INSERTED = re.compile(r"<!-- the text of (\S+) -->")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(?=[)#])")  # to another file


def insert(app: Any, name: str, source: list[str]) -> None:
    """Put the text of a file beyond docs/ into its page, and lead all links to pages, or to a file to download."""
    page = base = ROOT / "docs" / f"{name}.md"
    if found := INSERTED.search(source[0]):
        base = ROOT / found[1]
        source[0] = INSERTED.sub(lambda _: base.read_text(encoding="utf-8"), source[0])
        app.env.note_dependency(str(base))

    def moved(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(base.parent / link[1]))
        if place := PAGES.get(target.relative_to(ROOT).as_posix()):
            target = ROOT / "docs" / place
        return Path(os.path.relpath(target, page.parent)).as_posix()

    source[0] = LINK.sub(moved, source[0])


def setup(app: Any) -> None:
    app.connect("source-read", insert)
