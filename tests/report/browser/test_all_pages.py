"""All pages in a real Chromium: reports of each kind of archive, comparisons and the list, in four looks and by keyboard.

Needs playwright (pip install 'qd-atlas[browser]') and the system's chromium; axe-core for tests of accessibility.
$PAGE_SHOTS names a folder for screenshots.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from qd.cli.main import main
from tests.support import browser as browsers
from tests.support.browser import (
    HOUSE,
    LOOKS,
    axe_faults,
    faults_of,
    focus_outline,
    is_wider_than_its_window,
    opened,
    shot,
    viewed,
)
from tests.support.label.questions import fill, spot
from tests.support.label.serving import served

pytestmark = pytest.mark.slow

_ANGLES = ["descriptor.feature=angles", "budget=3000"]
_BOUNDS = "[[-1,1],[-1,1],[-1,1]]"
RUNS = {
    "default": ["budget=5000"],
    "cvt": ["budget=3000", "archive=cvt", "archive.cells=300"],
    "three": [*_ANGLES, "descriptor.columns=[0,1,2]", f"descriptor.bounds={_BOUNDS}", "archive.dims=[8,6,5]"],
    "six": [*_ANGLES, "domain.joints=3", f"descriptor.bounds={_BOUNDS[:-1]},{_BOUNDS[1:]}", "archive.dims=[3,3,3,3,3,3]"],
    "text": ["domain=opinions", "lm=toy", "budget=30"],
    "images": ["domain=images", "budget=400"],
    "quant": ["domain=quant", "budget=48"],
    "unstructured": ["archive=proximity", "budget=2000"],
    "learned": ["recipe=arm_pca", "budget=3000", "refit=[1000,2000]"],
    "other": ["budget=5000", "emitter=gaussian"],
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def runs(chromium, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, words in RUNS.items():
        seeds = ("0", "1", "2") if name in ("default", "other") else ("0",)
        for seed in seeds:
            given = [*words, f"name={name}", f"seed={seed}", f"runs={folder}/runs", "console=off", "yes=true"]
            assert main(["run", *given]) == 0
    return folder / "runs"


def report_of(runs: Path, name: str) -> Path:
    run = next((runs / name).glob("*/result.json")).parent
    assert main(["report", str(run)]) == 0
    return run / "report.html"


@pytest.mark.parametrize("name", [name for name in RUNS if name != "other"])
def test_the_report_of_each_kind_of_run_in_each_look(chromium, runs, name):
    file = report_of(runs, name)
    for look, settings in LOOKS.items():
        page, trouble = opened(chromium, file, **settings)
        assert not is_wider_than_its_window(page), look
        for view in ("parallel", "map"):
            if page.locator(f"#view option[value={view}]").count():
                page.locator("#view").select_option(view)
        page.locator("#map").focus()
        assert focus_outline(page) == "solid"
        chosen = page.locator("#elites h3").first.inner_text()
        for key in ("ArrowLeft", "ArrowDown", "ArrowRight", "ArrowUp"):
            page.keyboard.press(key)
        page.keyboard.press("b")
        assert page.locator("#elites h3").first.inner_text() == chosen
        shot(page, f"report-{name}-{look}")
        assert trouble == [] and page.locator("#trouble").inner_text() == ""
        page.context.close()


@pytest.mark.parametrize("look", ["wide", "phone"])
def test_every_control_of_a_report_is_reached_by_tab_in_the_order_of_the_page(chromium, runs, look):
    page, _ = opened(chromium, report_of(runs, "default"), **LOOKS[look])
    ids = []
    for _ in range(16):
        page.keyboard.press("Tab")
        assert focus_outline(page) == "solid"
        ids.append(page.evaluate("document.activeElement.id"))
    assert [id for id in ids if id][:9] == ["view", "colour", "range", "palette", "map", "play", "time", "find-id", "pin"]
    page.context.close()


def test_axe_finds_no_serious_fault(chromium, runs, tmp_path):
    browsers.axe_or_skip()
    pages: dict[str, tuple[str | Path, str]] = {name: (report_of(runs, name), "#main:not([hidden])") for name in RUNS}
    assert main(["compare", str(runs / "default"), str(runs / "other"), "--out", str(tmp_path)]) == 0
    pages["compare"] = (tmp_path / "compare.html", "#main:not([hidden])")
    with viewed(runs) as address:
        run = f"{address}run?id={next((runs / 'default').glob('*/result.json')).parent.relative_to(runs)}"
        pages |= {"list": (address, "#runs li"), "run": (run, "#frames iframe")}
        faults = {
            f"{name} {look}": axe_faults(chromium, address, ready, **LOOKS[look])
            for name, (address, ready) in pages.items()
            for look in ("wide", "dark", "phone")
            if look == "wide" or name in ("default", "text", "compare", "list", "run")
        }
    assert {name: each for name, each in faults.items() if each} == {}


@pytest.mark.parametrize("look", ["wide", "dark", "phone"])
def test_axe_finds_no_serious_fault_where_people_answer(chromium, tmp_path, look):
    browsers.axe_or_skip()
    fill(tmp_path, [spot(i) for i in range(30)], 40)
    with served(tmp_path) as port:
        page, trouble = opened(
            chromium, f"http://127.0.0.1:{port}/", "input:not([type=hidden])", bypass_csp=True, **LOOKS[look]
        )
        faults = faults_of(page)
        page.get_by_label("Your name").fill("Ann")
        page.keyboard.press("Enter")
        page.wait_for_selector("#question")
        faults += faults_of(page)
        assert faults == [] and trouble == [] and not is_wider_than_its_window(page)
        shot(page, f"label-{look}")
        page.context.close()


def test_runs_of_the_list_are_chosen_and_compared_by_keyboard(chromium, runs):
    with viewed(runs) as address:
        for look, settings in LOOKS.items():
            page, trouble = opened(chromium, address, "#runs li", **settings)
            boxes = page.get_by_role("checkbox", name="Compare ")
            assert boxes.count() == sum(3 if name in ("default", "other") else 1 for name in RUNS)
            page.locator("#find").fill("default")
            for box in page.get_by_role("checkbox", name="Compare default/").all():
                box.focus()
                page.keyboard.press("Space")
            page.locator("#find").fill("other")
            page.locator("#all").focus()
            page.keyboard.press("Enter")
            assert all(box.is_checked() for box in page.get_by_role("checkbox", name="Compare other/").all())
            assert page.locator("#chosen").inner_text() == "6 runs chosen"
            shot(page, f"list-{look}")
            page.locator("#compare").focus()
            assert focus_outline(page) == "solid" and not is_wider_than_its_window(page)
            page.keyboard.press("Enter")
            frame = page.frame_locator("#frames iframe")
            frame.locator("#main:not([hidden])").wait_for()
            assert frame.locator("#contrasts tbody tr").count() == 3 and frame.locator("#maps figure").count() == 3
            assert frame.locator("#final tbody tr").count() == 2 and trouble == []
            page.get_by_role("link", name="All runs").click()
            page.wait_for_selector("#runs li")
            page.context.close()


def test_the_comparison_of_two_methods_in_each_look(chromium, runs, tmp_path):
    assert main(["compare", str(runs / "default"), str(runs / "other"), "--out", str(tmp_path)]) == 0
    for look, settings in LOOKS.items():
        permitted = {} if look == "zoom" else {"permissions": ["clipboard-read", "clipboard-write"]}
        page, trouble = opened(chromium, tmp_path / "compare.html", **settings, **permitted)
        assert not is_wider_than_its_window(page), look
        for kind in ("LaTeX", "CSV"):
            page.locator("#contrasts-copies").get_by_role("button", name=f"Copy {kind}").click()
            text = (tmp_path / f"comparisons.{'tex' if kind == 'LaTeX' else 'csv'}").read_text()
            if permitted:
                assert page.evaluate("navigator.clipboard.readText()") == text
        page.locator("#maps canvas").nth(-2).focus()
        page.keyboard.press("Tab")  # focus is visible where the keyboard moved it
        assert focus_outline(page) == "solid"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        assert "difference" in page.locator("#spoken").inner_text()
        page.locator("#layer").select_option("share")
        assert page.locator("#layer-name").inner_text() == "share of seeds that fill the cell"
        page.locator("#layer").select_option("values")
        shot(page, f"compare-{look}")
        assert trouble == []
        page.context.close()


def shown_evaluations(page: Any) -> int:
    """The evaluations that the report in the visible frame shows; 0 while it is loading or replaced."""
    from playwright.sync_api import Error  # pyright: ignore[reportMissingImports]

    try:
        frame = page.query_selector("#frames iframe:not([style*=hidden])").content_frame()
        text = frame.evaluate("document.querySelector('#figures dd')?.textContent ?? '0'")
    except (Error, AttributeError):  # there is no such frame any more
        return 0
    return int(text.replace(",", "") or 0)


def slowness() -> float:
    """How many times as long as its CPU time a computation takes now, on a machine that does other things too."""
    began, cpu_began = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu_began < 0.3:
        sum(range(10_000))
    return max(1.0, (time.monotonic() - began) / (time.thread_time() - cpu_began))


def test_a_checkpoint_of_a_running_search_is_shown_within_two_seconds(chromium, tmp_path):
    words = [
        "budget=100000000",
        "save_every=20000",
        "save_seconds=1",
        f"runs={tmp_path}/runs",
        "name=live",
        "console=off",
        "yes=true",
    ]
    search = subprocess.Popen(
        [sys.executable, "-m", "qd", "run", *words, "yes=true"], env=os.environ | {"PYTHONPATH": str(HOUSE)}
    )
    try:
        wait_for(lambda: any(tmp_path.glob("runs/live/*/now/archive.json")))
        (run,) = tmp_path.glob("runs/live/*")
        with viewed(tmp_path / "runs") as address:
            page, trouble = opened(chromium, f"{address}run?{urlencode({'id': f'live/{run.name}'})}", "#frames iframe")
            wait_for(lambda: shown_evaluations(page) > 0)
            delays, times = [], []
            for _ in range(5):
                before = read_evaluations(run)
                wait_for(lambda before=before: read_evaluations(run) > before)
                written, evaluations = (run / "now/archive.json").stat().st_mtime, read_evaluations(run)
                wait_for(lambda evaluations=evaluations: shown_evaluations(page) >= evaluations)
                delays.append(time.time() - written)
                times.append(slowness())
            assert page.locator("#state").inner_text() == "running" and trouble == []
            page.context.close()
    finally:
        search.terminate()
        search.wait(30)
    for delay, slow in zip(delays, times, strict=True):
        print(f"shown after {delay:.2f} s on a machine {slow:.1f} times as slow as alone")
    assert statistics.median(delays) < 2 * statistics.median(times)


def read_evaluations(run: Path) -> int:
    return json.loads((run / "now/archive.json").read_text())["evaluations"]


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
