"""The page of a run in a real browser: by keyboard alone, on a phone, in the dark; hostile words run and reach nothing.

Needs playwright (pip install 'qd-atlas[browser]') and the system's chromium.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from qd.report.compare.write import compare
from qd.report.page import write
from qd.report.stored_run import load_run
from tests.support import browser as browsers
from tests.support.browser import opened, viewed
from tests.support.stored_runs import PAYLOADS, hostile_methods, hostile_run, small_run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browsers.chromium() as browser:
        yield browser


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


def click_everything(frame: Any) -> None:
    """Opens what a report or a comparison folds away, and clicks its rows."""
    for summary in frame.locator("summary").all():
        summary.click()
    for row in frame.locator("#table tbody tr").all():
        row.click()


def test_hostile_words_run_nothing_in_a_comparison(tmp_path, chromium):
    runs = hostile_methods(tmp_path / "runs")
    assert len(runs) > 15
    compare([tmp_path / "runs"], tmp_path / "out")
    page, trouble = opened(chromium, tmp_path / "out/compare.html")
    click_everything(page)
    assert page.locator("#final tbody tr").count() == len(runs) and PAYLOADS[1] in page.locator("#final").inner_text()
    assert page.evaluate("window.marked") is None and page.url.startswith("file:") and trouble == []
    page.context.close()


def test_hostile_words_run_nothing_in_the_list_nor_in_its_frames(tmp_path, chromium):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.5)
        runs = hostile_methods(tmp_path / "runs")
        (tmp_path / f"runs/{PAYLOADS[1]}").mkdir()
        hostile_run(tmp_path / f"runs/{PAYLOADS[1]}", elsewhere.getsockname()[1])
        with viewed(tmp_path / "runs") as address:
            page, _ = opened(chromium, address, "#runs li")
            assert page.locator("#runs li").count() == len(runs) + 1
            assert page.get_by_role("link", name=PAYLOADS[1], exact=True).count() == 1
            page.locator("#all").click()
            page.locator(f"[aria-label='Compare {PAYLOADS[1]}']").uncheck()
            page.locator("#compare").click()
            comparison = page.frame_locator("#frames iframe")
            comparison.locator("#main:not([hidden])").wait_for()
            click_everything(comparison)
            marks = [frame.evaluate("window.marked ?? null") for frame in page.frames]
            page.goto(address)
            page.get_by_role("link", name=PAYLOADS[1], exact=True).click()
            report = page.frame_locator("#frames iframe")
            report.locator("#main:not([hidden])").wait_for()
            click_everything(report)
            marks += [page.evaluate("window.marked ?? null"), report.locator("body").evaluate("window.marked ?? null")]
            assert marks == [None] * len(marks) and len(marks) >= 4 and page.url.startswith(address)
            page.context.close()
        with pytest.raises(TimeoutError):  # no connection came
            elsewhere.accept()


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
