"""A real Chromium for tests of pages; and axe-core, which finds accessibility faults.

playwright is the extra ``browser``; axe-core is found in node_modules of this or a parent folder, or where $AXE says.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.label.serving import free_port

LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    "zoom": {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2},  # 1280 x 900 at 200 %
}
HOUSE = Path(__file__).resolve().parents[2]


@contextmanager
def chromium() -> Iterator[Any]:
    """Starts Chromium; skips the test where it, or playwright, is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright lacks: pip install 'qd-atlas[browser]'")
    program = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("chromium lacks: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Any, address: str | Path, ready: str = "#main:not([hidden])", **looks: Any) -> tuple[Any, list[str]]:
    """Opens a page; returns it, and a list to which errors and requests to elsewhere are added."""
    page, trouble = browser.new_context(**looks).new_page(), []
    url = address if isinstance(address, str) else f"file://{address.resolve()}"
    origin = "/".join(url.split("/")[:3]) + "/" if url.startswith("http") else "file:"
    own = (origin, "data:", "about:", "blob:")
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(own) else trouble.append(request.url))
    page.goto(url)
    page.wait_for_selector(ready)
    return page, trouble


def is_wider_than_its_window(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def axe_faults(browser: Any, address: str | Path, ready: str = "#main:not([hidden])", **looks: Any) -> list[str]:
    """Returns serious and critical faults, of a page in a context of its own that lets axe in; skips without axe-core."""
    page, _ = opened(browser, address, ready, bypass_csp=True, **looks)
    faults = faults_of(page)
    page.context.close()
    return faults


def faults_of(page: Any) -> list[str]:
    """Returns serious and critical faults of a page in a context that lets axe in; skips without axe-core."""
    page.evaluate(_axe())
    return [
        f"{fault['impact']}: {fault['help']}: {fault['nodes'][0]['target']} and {len(fault['nodes']) - 1} more"
        for fault in page.evaluate("axe.run()")["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def axe_or_skip() -> None:
    """Skips a test where axe-core is not there."""
    _axe()


def _axe() -> str:
    named = [Path(os.environ["AXE"])] if "AXE" in os.environ else []
    for file in (*named, *(folder / "node_modules/axe-core/axe.min.js" for folder in (HOUSE, *HOUSE.parents))):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    pytest.skip("axe-core lacks, for tests of the extra browser: npm install axe-core, or set AXE to its axe.min.js")


def focus_outline(page: Any) -> str:
    return page.evaluate("getComputedStyle(document.activeElement).outlineStyle")


def shot(page: Any, name: str) -> None:
    """Writes a screenshot where $PAGE_SHOTS names a folder."""
    if folder := os.environ.get("PAGE_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def viewed(folder: Path) -> Iterator[str]:
    """Serves the list of a folder; yields its address."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn lacks: pip install 'qd-atlas[web]'")

    from qd.report.view.app import application
    from qd.report.view.listing import Listing

    port = free_port()
    app = application(Listing(folder), frozenset({f"127.0.0.1:{port}"}))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
