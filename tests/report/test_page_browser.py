"""The page of a run in a real browser: by keyboard alone, on a phone, in the dark; hostile words run and reach nothing.

Needs playwright (pip install 'qd-atlas[browser]') and the system's chromium.
"""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qd.report.page import write
from qd.report.stored_run import load_run
from tests.support.stored_runs import hostile_run, small_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright lacks: pip install 'qd-atlas[browser]'")
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium lacks: apt-get install chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium: Any, file: Path, **looks: Any) -> tuple[Any, list[str]]:
    """Opens a page; errors and requests to elsewhere are collected."""
    page, trouble = chromium.new_context(**looks).new_page(), []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:", "about:")) else trouble.append(request.url)
    )
    page.goto(f"file://{file}")
    page.wait_for_selector("#main:not([hidden])")
    return page, trouble


def test_hostile_words_run_nothing_and_reach_nothing(tmp_path, chromium):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        hostile_run(tmp_path, elsewhere.getsockname()[1])
        page, _ = opened(chromium, write.write(tmp_path))
        rows = page.locator("#table tbody tr")
        for i in range(rows.count()):
            rows.nth(i).click()
        assert page.locator("iframe").count() <= 1 and page.evaluate("window.marked") is None and page.url.startswith("file:")
        with pytest.raises(TimeoutError):  # no connection came
            elsewhere.accept()
    page.context.close()


@pytest.mark.parametrize(
    "looks", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}], ids=["wide", "dark", "phone"]
)
def test_the_page_is_used_by_keyboard_alone(own_folder, chromium, looks):
    page, trouble = opened(chromium, load_run(small_run(own_folder)).report(), **looks)
    heading = page.locator("#elites h3").first
    best = heading.inner_text()
    page.locator("#map").focus()
    page.keyboard.press("ArrowLeft")
    assert heading.inner_text() != best
    page.keyboard.press("b")
    assert heading.inner_text() == best
    number = best.split()[1]
    page.locator("#find-id").fill("123456789")
    page.keyboard.press("Enter")
    assert "No elite has the id 123456789" in page.locator("#elites").inner_text()
    page.locator("#find-id").fill(number)
    page.keyboard.press("Enter")
    assert heading.inner_text() == best
    page.locator("#time").focus()
    page.keyboard.press("Home")
    assert page.locator("#when").inner_text() == "50 evaluations"
    page.locator("#colour").select_option("evaluation")
    page.locator("#view").select_option("parallel")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert trouble == []
    page.context.close()
