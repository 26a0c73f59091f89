# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift page in a real browser: on a phone and on a desk, light and dark, with values that try to break it."""

from __future__ import annotations

import pathlib
import shutil

import pytest
from ansible_collections.mooring.stack.plugins.plugin_utils._drift import Collector, build
from ansible_collections.mooring.stack.plugins.plugin_utils._drift_page import page
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / ".cache" / "test" / "drift-page"
ABOUT = {
    "playbook": "playbooks/drift.yml", "inventory": ["inventories/prod"], "limit": "", "tags": [], "check_mode": True,
    "began": "2026-11-22T09:00:00+01:00", "ended": "2026-11-22T09:00:20+01:00"}
LONG = "word" * 300
SCRIPT = '<script>document.title = "ran"</script><img src=x onerror="document.title=\'ran\'">'
SCHEMES, WIDTHS = ("light", "dark"), (360, 1280)


def difference(name: str, field: str, expected: object, found: object) -> dict[str, object]:
    return {"object": name, "field": field, "expected": expected, "found": found}


def nasty() -> str:
    """Everything that a page can stumble over."""
    collector = Collector()
    collector.took("platform-1", "data_stores", "", "Converge", {"differences": [], "notices": []})
    collector.took("platform-1", "docker_engine", "", "Run the daemon", {})
    collector.took("platform-1", "nginx_certbot", "", "Converge the proxy", {
        "differences": [
            difference("service proxy", "state", "running", "exited"),
            difference("service worker", "presence", "present", None),
            difference("file nginx/nginx.conf", "content", "sha256:" + "4f" * 32, "sha256:" + "a0" * 32),
            difference(SCRIPT, SCRIPT, SCRIPT, SCRIPT),
            difference(LONG, LONG, LONG, "x" * 300),
            difference("service proxy", "mounts", [{"source": "./nginx", "target": "/etc/nginx"}] * 3, ""),
        ],
        "notices": [f"nginx/old-{'copy-' * 60}.conf lies here and is not ours.", SCRIPT],
    })
    collector.took("platform-1", "app_blue_green", "", "Converge", {
        "differences": [difference(f"file conf/{number}.yml", "mode", "0644", "0666") for number in range(200)]})
    collector.failed(f"host-{'a' * 200}", "data_stores", "", "Converge MySQL", {
        "msg": f"The engine does not answer.\n{'unbroken' * 100}\n{SCRIPT}"})
    return page(build(collector, {f"host-{'a' * 200}"}, ABOUT))


def in_sync() -> str:
    """The page that people see on most days."""
    collector = Collector()
    for role in ("docker_engine", "data_stores", "nginx_certbot", "app_blue_green"):
        collector.took("platform-1", role, "", "Converge", {})
    return page(build(collector, set(), ABOUT))


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no chromium: the stage `engine` installs it"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        # As root Chromium starts only without its sandbox; the page is ours and loads nothing.
        running = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES],
                ids=lambda value: f"{value[0]}-{value[1]}")
def show(request, browser, tmp_path):
    """Shows a document in a window of one size and one scheme; keeps a screenshot of it."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    window = context.new_page()
    window.asked = []
    window.on("request", lambda one: window.asked.append(one.url))

    def to(name: str, document: str):
        path = tmp_path / "report.html"
        path.write_text(document)
        window.goto(path.as_uri())
        window.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=name != "nasty")
        return window

    yield to
    context.close()


def overflow(window) -> list[str]:
    """What reaches beyond the right edge."""
    return window.evaluate("""() => [...document.querySelectorAll('body *')]
        .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map(one => one.tagName + ': ' + one.textContent.slice(0, 40))""")


def contrast(window) -> list[str]:
    """Texts whose contrast is below the 4.5 that WCAG asks for."""
    return window.evaluate("""() => {
        const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
        const light = colour => {
            const [r, g, b] = parse(colour).map(
                one => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = one => {
            for (; one; one = one.parentElement) {
                const colour = getComputedStyle(one).backgroundColor;
                if ((parse(colour)[3] ?? 1) > 0) return colour;
            }
            return 'rgb(255, 255, 255)';
        };
        return [...document.querySelectorAll('body *')]
            .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
            .filter(one => {
                const [low, high] = [light(getComputedStyle(one).color), light(ground(one))].sort((a, b) => a - b);
                return (high + 0.05) / (low + 0.05) < 4.5;
            }).map(one => one.tagName + ': ' + one.textContent.slice(0, 40));
    }""")


def test_nothing_breaks_the_page(show):
    window = show("nasty", nasty())
    assert window.title() == "Error: drift report"  # no script ran
    assert window.locator("script, img").count() == 0
    assert window.asked == [window.url]
    for details in window.locator("details").all():
        details.locator("summary").click()
    assert overflow(window) == []
    assert window.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert contrast(window) == []


def test_everything_is_there_to_be_read(show):
    window = show("nasty", nasty())
    for text in ("Drift report", "inventories/prod", "2026-11-22 09:00:20, UTC+01:00", "file conf/199.yml",
                 "lies here and is not ours", "The engine does not answer.", "The others are as declared"):
        assert window.get_by_text(text).first.is_visible(), text
    assert "<script>" in window.get_by_text("document.title").first.text_content()
    assert window.locator("tbody tr").count() == 206
    assert [window.locator(f"h{level}").first.is_visible() for level in (1, 2, 3)] == [True] * 3
    assert window.get_by_role("table").count() == 2
    assert window.get_by_role("columnheader", name="Expected").count() == 2


def test_a_phone_gets_cards_and_a_desk_a_table(show):
    window = show("nasty", nasty())
    row = window.locator("tbody tr").first
    tops = {cell.bounding_box()["y"] for cell in row.locator("td").all()}
    assert len(tops) == (4 if window.viewport_size["width"] == 360 else 1)


def test_in_sync_is_seen_at_a_glance(show):
    window = show("in-sync", in_sync())
    verdict = window.locator(".verdict")
    assert "In sync" in verdict.text_content() and verdict.bounding_box()["y"] < 200
    assert window.locator("table").count() == 0
    assert overflow(window) == [] and contrast(window) == []
