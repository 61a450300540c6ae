"""The picture of the floors: docs/make_house.py."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import test_floors

SCRIPT = Path(__file__).parents[1] / "docs" / "make_house.py"


def test_the_picture_names_every_file_and_draws_every_import_between_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    make = importlib.import_module(SCRIPT.stem)
    text = make.picture()
    assert text == make.picture()
    ElementTree.fromstring(text)  # whole XML
    shown = " ".join(re.findall(r"<text[^>]*>([^<]*)", text))
    for name in test_floors.FILES:
        assert re.search(rf"\b{re.escape(name.split('.')[-1])}\b", shown), name
    found = make.counts(test_floors)
    assert text.count('class="arrow"') == len(found)
    assert found["images", "core"] > 10
    assert str(found["images", "core"]) in re.findall(r'class="count"[^>]*>(\d+)<', text)
