"""The page in a real browser: Chromium drives it by keyboard, mouse and touch while its server dies and a search waits.

Needs playwright (pip install 'qd-atlas[browser]') and the system's chromium. Screenshots go to $LABEL_SHOTS where it is set.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from feedback.label import store
from tests.support.label.questions import fill, spot
from tests.support.label.serving import HOUSE, free_port, served, start

playwright = pytest.importorskip("playwright.sync_api", reason="playwright lacks: pip install 'qd-atlas[browser]'")
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium lacks: apt-get install chromium")

KEYS = {"left": "1", "right": "2", "unsure": " ", "skip": "s", "undo": "u"}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def person(chromium: Any, port: int, name: str, trouble: list[str], **looks: Any) -> Iterator[Any]:
    """Somebody at a window of their own; what their browser complains of, and where it goes, is noted in ``trouble``."""
    context = chromium.new_context(**looks)
    page = context.new_page()
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" and not _away(said.text) else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda asked: None if _ours(asked.url, port) else trouble.append(asked.url))
    page.goto(f"http://127.0.0.1:{port}/")
    if name:
        page.keyboard.type(name)  # the field has the focus
        page.keyboard.press("Enter")
        page.wait_for_selector("#aside")
    try:
        yield page
    finally:
        context.close()


def _away(words: str) -> bool:
    """A browser's own note that the server is away, or refused a form: both are shown to the person."""
    return (
        "ERR_CONNECTION_REFUSED" in words or "ERR_CONNECTION_RESET" in words or "ERR_EMPTY_RESPONSE" in words or "409" in words
    )


def _ours(url: str, port: int) -> bool:
    return url.startswith(f"http://127.0.0.1:{port}/")


def token(page: Any) -> str | None:
    return page.get_attribute("#main", "data-token")


def press(page: Any, what: str, mouse: bool = False, touch: bool = False) -> None:
    """Acts on what is shown and waits until something else is."""
    before = page.locator("#main").inner_html()
    page.wait_for_timeout(130)  # the page takes no second tap
    if mouse:
        page.click(f"#{what}")
    elif touch:
        page.tap(f"#{what}")
    else:
        page.keyboard.press(KEYS[what])
    page.wait_for_function("before => document.getElementById('main').innerHTML !== before", arg=before, timeout=30_000)


def answers(run: Path) -> list[tuple]:
    with store.opened(run) as db:
        return db.execute(
            "SELECT question, rater, repeat, answer, side, counted FROM answers WHERE undone = 0 ORDER BY id"
        ).fetchall()


def shot(page: Any, name: str) -> None:
    if folder := os.environ.get("LABEL_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_sixty_answers_of_two_people_while_the_server_is_killed(chromium, tmp_path):
    numbers = fill(tmp_path, [spot(i) for i in range(30)], 60, two=True)
    port, trouble = free_port(), []
    server = start(tmp_path, port)
    try:
        with person(chromium, port, "Ann", trouble) as ann, person(chromium, port, "Bob", trouble, has_touch=True) as bob:
            said = {"Ann": 24 - 1, "Bob": 24}
            for i in range(24):  # by keyboard, by mouse and by touch
                press(ann, ("left", "right", "unsure")[i % 3], mouse=i % 4 == 3)
                press(bob, ("right", "left")[i % 2], mouse=i % 3 == 0, touch=i % 3 == 1)
                if i == 5:
                    press(ann, "undo")
                    press(ann, "skip")
                    press(bob, "skip", mouse=True)
                    press(bob, "undo", mouse=True)
                if i == 12:
                    server.send_signal(signal.SIGKILL)
                    server.wait()
                    ann.keyboard.press("1")
                    ann.wait_for_selector("#notice.wrong")
                    assert "Your answers are stored" in ann.inner_text("#notice")
                    before = token(ann)
                    server = start(tmp_path, port)
                    ann.wait_for_function("was => document.getElementById('main').dataset.token !== was", arg=before)
                    said["Ann"] += 1
            while token(ann) or token(bob):
                for name, page in (("Ann", ann), ("Bob", bob)):
                    if token(page):
                        press(page, "left")
                        said[name] += 1
            ann.wait_for_selector("[data-state=waiting]")
            shot(ann, "waiting")
    finally:
        server.kill()
    found = answers(tmp_path)
    fresh = [row for row in found if row[5]]
    assert sorted(row[0] for row in fresh) == numbers  # none lost, none counted twice
    repeats = [row for row in found if row[2]]
    assert 4 <= len(repeats) <= 6 and not any(row[5] for row in repeats)
    given = sum(said.values())
    assert len(found) == given  # each act of theirs that was not taken back
    assert {row[1] for row in fresh} == {"Ann", "Bob"} and {row[4] for row in fresh} == {"a", "b"}
    assert not trouble


def test_by_keyboard_alone_and_at_twice_the_size(chromium, tmp_path):
    fill(tmp_path, [spot(i) for i in range(30)], 40)
    trouble: list[str] = []
    with served(tmp_path) as port:
        looks = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}  # 1280 x 800 at 200 %
        with person(chromium, port, "Ann", trouble, **looks) as page:
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for name in ("left", "right", "unsure", "skip", "undo"):
                box = page.locator(f"#{name}").bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= 640 and min(box["width"], box["height"]) >= 24
            order = []
            for _ in range(6):
                page.keyboard.press("Tab")
                order.append(page.evaluate("document.activeElement.id"))
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            assert order == ["", "left", "right", "unsure", "skip", "undo"]
            page.focus("#right")
            before = token(page)
            page.wait_for_timeout(130)
            page.keyboard.press(" ")  # presses the button that has the focus
            page.wait_for_function("was => document.getElementById('main').dataset.token !== was", arg=before)
            assert page.evaluate("document.activeElement.id") == "right"
            shot(page, "zoom")
    ((_, _, _, said, side, _),) = answers(tmp_path)
    assert said == {"a": "b", "b": "a"}[side]
    assert not trouble


def test_names_and_roles_are_told_to_those_who_cannot_see(chromium, tmp_path):
    fill(tmp_path, [spot(i) for i in range(30)], 40)
    trouble: list[str] = []
    with served(tmp_path) as port, person(chromium, port, "", trouble) as page:
        assert page.get_by_label("Your name").is_visible()
        page.get_by_label("Your name").fill("Ann")
        page.get_by_role("button", name="Begin").click()
        page.wait_for_selector("#question")
        assert page.get_by_role("heading", level=1).inner_text() == "Which of the two is more similar to the one above?"
        assert page.get_by_role("group", name="Which of the two is more similar to the one above?").is_visible()
        for name in ("Left", "Right", "Can’t tell", "Skip", "Undo"):
            assert page.get_by_role("button", name=name).count() == 1
        assert page.get_by_role("progressbar", name="0 of 40 answers").is_visible()
        sizes = {
            (box["width"], box["height"]) for box in (page.locator(f"#{name} img").bounding_box() for name in ("left", "right"))
        }
        assert len(sizes) == 1
        press(page, "left")
        assert page.get_by_role("status").inner_text() == "Stored."
        assert page.get_by_role("progressbar", name="1 of 40 answers").is_visible()
        page.wait_for_timeout(130)
        page.keyboard.down("1")
        page.keyboard.down("1")  # held down: the browser repeats it
        page.wait_for_timeout(300)
        page.keyboard.up("1")
    assert len(answers(tmp_path)) == 2 and not trouble


@pytest.mark.parametrize("name, width, height, dark", [("desktop", 1280, 800, False), ("phone", 390, 844, False),
                                                       ("dark", 1280, 800, True)])  # fmt: skip
def test_nothing_is_cut_off(chromium, tmp_path, name, width, height, dark):
    fill(tmp_path, [spot(i) for i in range(30)], 40)
    trouble: list[str] = []
    looks = {
        "viewport": {"width": width, "height": height},
        "color_scheme": "dark" if dark else "light",
        "is_mobile": name == "phone",
    }
    with served(tmp_path) as port, person(chromium, port, "Ann", trouble, **looks) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.locator(".more").bounding_box()
        assert box["y"] + box["height"] <= height  # a question is seen whole, without scrolling
        shot(page, name)
    assert not trouble


@pytest.mark.slow
def test_a_search_waits_refits_twice_and_finishes(chromium, tmp_path):
    words = ["domain=images", "domain.side=16", "descriptor=triplets", "judge=people",
             "descriptor.questions_per_fit=[12,10,10]", "descriptor.min_batch=6",
             "budget=500", "initial=60", "refit=[200,350]", "domain_defaults.batch_size=50",
             "renderings=30", "name=looks", "console=plain"]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(HOUSE), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "qd", "run", *words, f"runs={tmp_path}"]
    search = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    port, trouble, killed = free_port(), [], False
    server = None
    try:
        run = _folder(tmp_path / "looks", search)
        server = start(run, port)
        with person(chromium, port, "Ann", trouble) as ann, person(chromium, port, "Bob", trouble) as bob:
            end = time.monotonic() + 900
            while ann.get_attribute("#main", "data-state") != "done":
                assert time.monotonic() < end and (search.poll() in (None, 0)), search.communicate()[0]
                for page, what in ((ann, "left"), (bob, "right")):
                    if page.get_attribute("#main", "data-state") == "question":
                        press(page, what)
                given = len(answers(run))
                if given >= 15 and not killed:  # the search dies too, waiting or learning, and is started again
                    killed = True
                    search.kill()
                    search.wait()
                    search = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE,
                                              stderr=subprocess.STDOUT, text=True)  # fmt: skip
                ann.wait_for_timeout(100)
            ann.wait_for_timeout(3000)
            shot(ann, "done")
            assert "answers of 2 raters" in ann.inner_text("#main")
        said = search.communicate(timeout=120)[0]
    finally:
        search.kill()
        if server is not None:
            server.kill()
    assert search.returncode == 0 and "waiting for people" in said and "finished: 510" in said
    assert (run / "events.jsonl").read_text().count('"refit"') == 2
    with store.opened(run) as db:
        assert db.execute("SELECT count(*), sum(given) FROM questions WHERE closed = 1").fetchone() == (32, 32)
    found = [row for row in answers(run) if not row[2]]
    assert len(found) == len({row[0] for row in found}) == 32 and killed and not trouble


def _folder(top: Path, search: subprocess.Popen) -> Path:
    """Waits until the search has made its folder."""
    for _ in range(1200):
        if found := list(top.glob("*/config.yaml")):
            return found[0].parent
        assert search.poll() is None, search.communicate()[0]
        time.sleep(0.25)
    raise AssertionError("no folder of a run")
