"""The console for everybody: by keyboard, by screen reader, on a phone, in the dark."""

from __future__ import annotations

import re

import pytest

from tests.functions.console.browser import (
    axe_finds,
    open_asset,
    panel,
    wait_for_position,
)
from tests.functions.console.conftest import Opened

pytestmark = pytest.mark.timeout(600)


PANELS = ("Transcript", "Cut", "Faces", "Stems & mix", "Effects", "Comments", "Files", "Steps")


@pytest.mark.heavy
def test_the_keyboard_does_it_all(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.wait_for_function("() => document.querySelector('video').currentTime === 6")
        page.keyboard.press(" ")
        wait_for_position(page, 6.1)
        page.keyboard.press(" ")
        page.wait_for_function("() => document.querySelector('video').paused")
        page.keyboard.press("Home")
        page.locator("[data-lane=loops] [role=listbox]").focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        chosen = page.locator("[data-lane=loops] [aria-selected=true]")
        page.get_by_label("Chosen").get_by_text(re.compile("^Loop")).wait_for()
        assert chosen.count() == 1
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.heavy
def test_the_focus_is_seen_on_every_stop(opened: Opened, demo: str) -> None:
    with opened() as page:
        open_asset(page, demo)
        stops = []
        for _ in range(30):
            page.keyboard.press("Tab")
            stops.append(page.evaluate(_FOCUSED))
        assert [stop for stop in stops if not stop["seen"]] == []
        assert [stop for stop in stops if not stop["named"]] == []
        assert sum(stop["role"] == "listbox" for stop in stops) >= 5


_FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const named = one.ariaLabel || one.textContent.trim() || one.labels?.length || one.title;
  return {html: one.outerHTML.slice(0, 120), role: one.getAttribute("role"), named: Boolean(named),
          seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1};
}"""


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_scrolls_sideways_on_a_phone(opened: Opened, demo: str, scheme: str) -> None:
    sideways = "() => document.documentElement.scrollWidth > innerWidth"
    with opened(width=390, height=844, scheme=scheme) as page:
        page.locator("a.row").first.wait_for()
        assert not page.evaluate(sideways)
        open_asset(page, demo)
        for title in PANELS:
            panel(page, title)
            assert not page.evaluate(sideways), title


@pytest.mark.heavy
@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_readers_of_a_screen_find_their_way(
    opened: Opened, demo: str, width: int, scheme: str
) -> None:
    with opened(width=width, height=900, scheme=scheme) as page:
        page.locator("a.row").first.wait_for()
        assert axe_finds(page) == []
        open_asset(page, demo)
        for title in PANELS:
            panel(page, title)
            if title == "Effects":
                page.get_by_role("button", name="Telephone", exact=True).click()
                page.locator(".slider").first.wait_for()
            elif title == "Stems & mix":
                page.get_by_role("button", name="New mix").click()
                page.locator(".mix-track").first.wait_for()
            assert axe_finds(page) == [], title


@pytest.mark.heavy
def test_dark_and_light(opened: Opened, demo: str) -> None:
    ground = "() => getComputedStyle(document.documentElement).backgroundColor"
    seen = []
    for scheme in ("dark", "light"):
        with opened(scheme=scheme) as page:
            seen.append(page.evaluate(ground))
            page.get_by_role("button", name=re.compile("^Theme")).click()
            assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
            seen.append(page.evaluate(ground))
    dark, chosen_dark, light, also_dark = seen
    assert dark == chosen_dark == also_dark != light
