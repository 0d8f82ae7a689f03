"""The pages of `qd view`: the list, runs and comparisons in frames, and thumbnails. All of them only read."""

import asyncio
import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from qd.report.compare import page as compare_page
from qd.report.compare import write as compare_write
from qd.report.page import contents, write
from qd.report.view import thumbnail
from qd.report.view.listing import MOST, ListedRun, Listing
from qd.support import links
from qd.support.errors import UserError
from qd.support.web import STATIC as SHARED
from qd.support.web.guard import RENDERING_HEADERS, Guard

_STATIC = Path(__file__).parent / "static"
_COMPARED = 200  # runs at once
_REPORTS, _THUMBNAILS = 6, MOST  # that are remembered
_WAIT, _TICK = 2.0, 0.1  # seconds until a request that waits is answered, and between two looks at the files' times
_REPORT_POLICY = "; frame-ancestors 'self'; sandbox allow-scripts allow-downloads"  # sandbox: it reaches no other page
_SCORES = {"coverage": ["coverage", " %"], "qd_score": ["QD score", ""], "best": ["best", ""]}  # column -> title, unit


class View:
    """The request handlers over one list of runs."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._reports = _Cache(_REPORTS)
        self._thumbnails = _Cache(_THUMBNAILS)

    def index(self, request: Request) -> Response:
        """Returns the page with the list, which its script fills."""
        return FileResponse(_STATIC / "index.html")

    def run(self, request: Request) -> Response:
        """Returns the page with the report of one run in a frame."""
        return FileResponse(_STATIC / "run.html")

    async def runs(self, request: Request) -> Response:
        """Returns the list, or one run of it with id=ID, as JSON; 204 where it is as in have=VERSION.

        With wait=1 the answer comes as soon as a file of the run changes, or after two seconds.
        """
        id, have = request.query_params.get("id"), request.query_params.get("have")
        end = time.monotonic() + (_WAIT if "wait" in request.query_params else 0.0)
        while True:
            facts = await run_in_threadpool(self._facts, id)
            if facts["version"] != have:
                return JSONResponse(facts)
            if time.monotonic() >= end:
                return Response(status_code=204)
            await asyncio.sleep(_TICK)

    def _facts(self, id: str | None) -> dict[str, Any]:
        entries = self.listing.entries() if id is None else [self._entry(id)]
        facts = {
            "folder": _plain(str(self.listing.folder)),
            "left_out": self.listing.left_out,
            "scores": _SCORES,
            "runs": [_finite(entry) for entry in entries],
        }
        version = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return facts | {"version": version}

    def thumbnail(self, request: Request) -> Response:
        """Returns the map of a run as a small png; 204 where it has none yet."""
        entry = self._entry(request.query_params.get("id", ""))
        if entry.state == "unreadable":
            return Response(status_code=204)
        try:
            png = self._thumbnails.get((entry.id, entry.version), lambda: thumbnail.draw(self.listing.path(entry.id)))
        except (UserError, OSError):
            png = None
        if png is None:
            return Response(status_code=204)
        return Response(png, media_type="image/png", headers=RENDERING_HEADERS)

    def report(self, request: Request) -> Response:
        """Returns the report of a run, made from its files; never a page that lies in its folder."""
        entry = self._entry(request.query_params.get("id", ""))
        page, policy = self._reports.get((entry.id, entry.version), lambda: _report(self.listing.path(entry.id)))
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy + _REPORT_POLICY})

    def compare(self, request: Request) -> Response:
        """Returns the page with the comparison of id=ID ... in a frame."""
        return FileResponse(_STATIC / "compare.html")

    def comparison(self, request: Request) -> Response:
        """Returns the comparison of the runs id=ID ...; nothing is written."""
        entries = [self._entry(id) for id in dict.fromkeys(request.query_params.getlist("id"))]
        if not 2 <= len(entries) <= _COMPARED:
            raise UserError(f"{len(entries)} runs are chosen", f"choose 2 to {_COMPARED} in the list")
        key = tuple((entry.id, entry.version) for entry in entries)
        page, policy = self._reports.get(key, lambda: _comparison([self.listing.path(entry.id) for entry in entries]))
        return Response(page, media_type="text/html", headers={"Content-Security-Policy": policy + _REPORT_POLICY})

    def _entry(self, id: str) -> ListedRun:
        entry = self.listing.entry(id)
        if entry is None:
            raise UnknownRunError
        return entry


class UnknownRunError(Exception):
    """The list has no run of that id."""


class _Cache:
    """Remembers the newest values; each is made once, also where several ask for it at the same time."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            return self._values[key]


def application(listing: Listing, hosts: frozenset[str], key: str | None = None) -> Guard:
    """Returns all pages behind their guard.

    Args:
        listing: of the runs.
        hosts: Host headers that are answered.
        key: secret that browsers must send; None: none is needed.
    """
    view = View(listing)
    routes = [
        Route("/", view.index),
        Route("/run", view.run),
        Route("/runs.json", view.runs),
        Route("/thumbnail", view.thumbnail),
        Route("/report", view.report),
        Route("/compare", view.compare),
        Route("/comparison", view.comparison),
        Mount("/shared", StaticFiles(directory=SHARED)),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={UnknownRunError: _unknown, UserError: _problem}), hosts, key)


async def _unknown(request: Request, error: Exception) -> Response:
    return Response("There is no such run in the list.", 404, media_type="text/plain")


async def _problem(request: Request, error: Exception) -> Response:
    return Response(_plain(str(error)), 422, media_type="text/plain")


def _report(run: Path) -> tuple[bytes, str]:
    """Returns the page of a run and its policy. Raises UserError where it is no run or has a link in it."""
    links.check(run)
    return write.html(contents.collect(run)), write.policy(write.script())


def _comparison(runs: list[Path]) -> tuple[bytes, str]:
    """Returns the page that compares runs, and its policy. Raises UserError where they cannot be compared."""
    return compare_write.html(runs), write.policy(compare_page.script())


def _finite(entry: ListedRun) -> dict[str, Any]:
    scores = {name: value for name, value in entry.scores.items() if math.isfinite(value)}
    return entry._asdict() | {"scores": scores}


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
