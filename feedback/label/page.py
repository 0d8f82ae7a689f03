"""The pages: the rater's name, one question at a time, waiting, the end; and the forms that they send.

Every page works without a script; with the script the same pages are swapped in place.
"""

import asyncio
import hashlib
import secrets
import shlex
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from feedback.label import private, progress, run_view, store
from feedback.label.limits import NAME, Rate, plain_name
from feedback.label.rater import RaterQuestion, RefusalError, answer, skip, undo, upcoming
from qd.support import links
from qd.support.web import STATIC as SHARED
from qd.support.web.guard import RENDERING_HEADERS, Guard, same

HERE = Path(__file__).parent
T = TypeVar("T")
_TEXT = 20_000  # letters of a text on the page
_SESSION = 90 * 86_400  # seconds for which a browser remembers its rater
_PATIENCE = 3000  # milliseconds to wait while another program writes
_BUSY = "Another program is using the answers. Nothing was stored: please answer again in a moment."
_FULL = "The disk of the server is full or cannot be written. Nothing was stored: tell the person who runs the search."
_FRESH = 3.0  # seconds until an agreement is computed again
_MEDIA = {"png": "image/png", "gif": "image/gif", "svg": "image/svg+xml", "audio": "audio/wav",
          "html": "text/html; charset=utf-8", "text": "text/plain; charset=utf-8"}  # fmt: skip


class UnavailableError(RefusalError):
    """The store cannot be written at the moment."""


class Thing(NamedTuple):
    """The rendering of a solution."""

    name: str
    kind: str
    text: str = ""


class Page:
    """The request handlers over one store. The store is used on one thread only, never on the event loop."""

    def __init__(self, run: Path, db: sqlite3.Connection, limit: float) -> None:
        self.run, self.db, self.disk = run, db, store.Disk(run)
        self.rate = Rate(limit)
        self._thread = ThreadPoolExecutor(1, "store")
        db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        self.plan = run_view.plan(run)
        self._agreements: dict[str, tuple[float, progress.Agreement]] = {}
        loader = FileSystemLoader(HERE / "templates")
        self._pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)

    async def look(self, request: Request) -> Response:
        """Shows the rater's page, or asks for a name."""
        return await self._call(self._page, self._session(request))

    async def name(self, request: Request) -> Response:
        """Stores the rater's name in the session; with leave=1 removes it."""
        session, form = self._session(request), await _form(request)
        try:
            self._check(session, form, f"from {request.client.host if request.client else ''}")
            name = plain_name(form.get("name", ""))
            if not name and "leave" not in form:
                raise RefusalError(400, "Type a name, so that your answers are yours.")
        except RefusalError as refusal:
            return await self._call(self._page, session, refusal)
        session["rater"] = name
        return RedirectResponse("/", 303)

    async def act(self, request: Request) -> Response:
        """Stores an answer, a skip or an undo, and shows the next page."""
        session, form = self._session(request), await _form(request)
        rater, notice = session.get("rater", ""), None
        try:
            self._check(session, form, rater)
            if not rater:
                raise RefusalError(403, "Type your name first.")
            notice = await self._call(self._do, request.url.path, rater, form)
            await self.disk.reached()
        except OSError as error:
            raise UnavailableError(507, _FULL) from error
        except UnavailableError:
            raise
        except RefusalError as refusal:
            return await self._call(self._page, session, refusal)
        if "x-swap" in request.headers:
            return await self._call(self._page, session, None, notice)
        return RedirectResponse("/", 303)

    async def shown(self, request: Request) -> Response:
        """Returns the rendering of one solution, a file of the run."""
        thing = await self._call(self._thing, request.path_params["name"])
        if thing is None:
            raise RefusalError(404, "There is no such solution.")
        return FileResponse(await self._call(self._file, thing.name), media_type=_MEDIA[thing.kind], headers=RENDERING_HEADERS)

    async def map(self, request: Request) -> Response:
        """Returns the newest picture of the map."""
        path = run_view.picture(self.run)
        if path is None or not links.is_inside(self.run, path):
            raise RefusalError(404, "There is no map yet.")
        return FileResponse(path, media_type="image/png")

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a function on the store's thread.

        Raises:
            UnavailableError: another program holds the store, or the disk is full; nothing is changed.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UnavailableError(503, _BUSY) from error
            raise UnavailableError(507, _FULL) from error

    def _do(self, path: str, rater: str, form: dict[str, str]) -> str:
        if path == "/undo":
            return f"Your last {'answer' if undo(self.db, rater) == 'answered' else 'skip'} is taken back."
        if path == "/skip":
            skip(self.db, rater, form.get("token", ""))
            return "Put off."
        answer(self.db, rater, form.get("token", ""), form.get("answer", ""))
        return "Stored."

    def _check(self, session: dict[str, str], form: dict[str, str], rater: str) -> None:
        """Raises RefusalError where a form is not of this page, or comes too fast."""
        if not same(form.get("form", ""), session["form"]):
            raise RefusalError(403, "That form is not ours, or its cookie is gone. Here is a new one.")
        if not self.rate.allows(rater):
            raise RefusalError(429, "A little slower, please: that was not stored.")

    def _session(self, request: Request) -> dict[str, str]:
        """Returns the session of this browser: the token of its forms (no other site can read it), and the rater."""
        request.session.setdefault("form", secrets.token_hex(16))
        return request.session

    def _page(self, session: dict[str, str], refusal: RefusalError | None = None, notice: str | None = None) -> Response:
        """Returns the whole page, with the status and the text of a refusal."""
        rater = session.get("rater", "")
        values: dict[str, Any] = {"words": str(refusal) if refusal else notice, "wrong": refusal is not None}
        values |= {"rater": rater, "form": session["form"], "longest": NAME, "run": shlex.quote(str(self.run))}
        values |= self._around(rater) if rater else {"state": "name", "search": self.run.parent.name, "plan": self.plan}
        response = HTMLResponse(self._pages.get_template("page.html").render(values), refusal.status if refusal else 200)
        if refusal and refusal.status == 429:
            response.headers["Retry-After"] = "1"
        return response

    def _around(self, rater: str) -> dict[str, Any]:
        """Returns the values of the page of a rater with a name."""
        question, count = upcoming(self.db, rater), progress.counts(self.db, rater, self.plan.answers if self.plan else None)
        state = "question" if question else "done" if run_view.finished(self.run) and not count.want else "waiting"
        picture = run_view.picture(self.run)
        return {
            "state": state,
            "search": self.run.parent.name,
            "question": question,
            "things": {} if question is None else self._things(question),
            "words_of": store.about(self.db, "words" if question is None or question.x else "words_better"),
            "count": count,
            "agreement": self._agreement(rater),
            "picture": None if picture is None else picture.stat().st_mtime_ns,
            "evaluations": run_view.evaluations(self.run),
        }

    def _agreement(self, rater: str) -> progress.Agreement:
        then, agreement = self._agreements.get(rater, (0.0, None))
        if agreement is None or time.monotonic() - then > _FRESH:
            agreement = progress.agreement(self.db, rater, self.run)
            self._agreements[rater] = time.monotonic(), agreement
        return agreement

    def _things(self, question: RaterQuestion) -> dict[str, Thing]:
        names = {"x": question.x, "left": question.left, "right": question.right}
        return {place: self._thing(name) or Thing(name, "gone") for place, name in names.items() if name}

    def _thing(self, name: str) -> Thing | None:
        row = self.db.execute("SELECT name, kind FROM things WHERE name = ?", (name,)).fetchone()
        if row is None or not links.is_inside(self.run, self._file(name)) or not self._file(name).is_file():
            return None
        text = self._file(name).read_text("utf-8", "replace") if row[1] == "text" else ""
        return Thing(row[0], row[1], text if len(text) <= _TEXT else text[:_TEXT] + " …")

    def _file(self, name: str) -> Path:
        (file,) = self.db.execute("SELECT file FROM things WHERE name = ?", (name,)).fetchone()
        return self.run / store.FOLDER / store.SHOWN / Path(file).name


def application(run: Path, db: sqlite3.Connection, hosts: frozenset[str], limit: float, key: str | None = None) -> Guard:
    """Returns the whole page behind its guard.

    Args:
        run: the run's folder.
        db: its store, opened for any thread.
        hosts: Host headers that it accepts.
        limit: forms a second of one rater, at most; twice as many at once.
        key: secret that browsers must send; None: no key is needed.

    Raises:
        UserError: the file of secrets cannot be opened, or is damaged.
    """
    page = Page(run, db, limit)
    posts = [Route(path, page.act, methods=["POST"]) for path in ("/answer", "/skip", "/undo")]
    routes = [
        Route("/", page.look),
        Route("/name", page.name, methods=["POST"]),
        *posts,
        Route("/shown/{name}", page.shown),
        Route("/map", page.map),
        Mount("/shared", StaticFiles(directory=SHARED)),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    secret = private.secret(run / store.FOLDER, private.SESSION)  # stored, so that sessions outlive the server
    cookie = f"label-{hashlib.sha256(secret.encode()).hexdigest()[:8]}"  # two servers on one machine share a jar
    sessions = Middleware(SessionMiddleware, secret, cookie, max_age=_SESSION, same_site="strict")
    return Guard(Starlette(routes=routes, middleware=[sessions], exception_handlers={RefusalError: _refusal}), hosts, key)


async def _refusal(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, RefusalError)
    return Response(refusal.words, refusal.status, media_type="text/plain")


async def _form(request: Request) -> dict[str, str]:
    """Reads a plain form; the guard has limited its size. One with too many fields, or with two of a name, is empty."""
    text = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()} if all(len(values) == 1 for values in fields.values()) else {}
