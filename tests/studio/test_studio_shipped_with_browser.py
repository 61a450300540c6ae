"""An empty studio in a browser: it invites to play, for its owner and for visitors."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi")
from test_studio_pages import (  # noqa: F401
    WAIT,
    Served,
    browser,
    check_access,
    frames,
    go,
    page,
    pytestmark,
    quick_workers,
    tab,
    until,
)
from test_studio_visitors import FULL, VIEW, studio  # noqa: F401


def enter(page: Any, studio: Served, token: str) -> None:  # noqa: F811
    page.goto(f"http://127.0.0.1:{studio.port}/?token={token}")
    page.wait_for_selector("#main[aria-busy=false] .ready")


def test_an_empty_studio_invites_to_play(page: Any, studio: Served) -> None:  # noqa: F811
    enter(page, studio, FULL)
    assert page.text_content(".ready h2") == "Play now"
    assert "MNIST digits (comes with Ganvas)" in page.text_content(".ready")
    assert not page.is_visible("text=Compare: select two or three")
    page.click("text=Invite visitors")
    assert page.input_value("#link").endswith("/?token=the%20token%20of%20visitors")
    check_access(page)
    page.set_viewport_size({"width": 390, "height": 844})
    frames(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click(".ready a:has-text('You against the machine')")
    page.fill("#who", "Ada")
    page.click("#begin")
    page.wait_for_selector(".picks img")
    assert page.locator(".picks img").count() == 20
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#done")
    page.wait_for_selector(".board li:has-text('Ada')")
    check_access(page)
    go(page, studio, "run/%40mnist")
    assert page.locator("nav.tabs a").all_text_contents() == ["About", "Forger", "Expert", "You against the machine"]
    assert page.is_visible("#export")
    assert page.locator("text=Resume").count() == page.locator("text=Delete").count() == 0
    check_access(page)


def test_visitors_see_what_they_may_do(page: Any, studio: Served) -> None:  # noqa: F811
    enter(page, studio, VIEW)
    until(page, "document.body.classList.contains('viewer')")
    for text in ("New training", "Data", "Train on MNIST", "Invite visitors"):
        assert not page.is_visible(f"text='{text}'")
    assert page.is_visible(".ready a:has-text('Forger')")
    go(page, studio, "run/%40mnist")
    assert not page.is_visible("#export")
    go(page, studio, "data")
    assert "This link is for watching and playing" in page.text_content("#main .error")
    assert all("403" in text for text in page.wrong)  # the browser's own note of it
    page.wrong.clear()
    check_access(page)
