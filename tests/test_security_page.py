"""docs/security.md: every test that holds a promise is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NAMED = re.findall(r"`((?:fuzz/)?test_\w+\.py)(?:::(\w+))?`", (TESTS.parent / "docs" / "security.md").read_text())


def test_every_promise_has_a_test() -> None:
    rows = [line for line in (TESTS.parent / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| ---", "| promise"))]
    assert len(promises) > 25
    assert all("`test_" in row or "`fuzz/test_" in row for row in promises)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_is_there(file: str, name: str) -> None:
    (path,) = TESTS.rglob(file)
    text = path.read_text()
    assert not name or f"\ndef {name}(" in text
