"""What a browser sees: a name, a question at a time, a wait, an end; and the forms that come back.

Every page is whole without a script; with it the same pages are swapped in place.
"""

import hashlib
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from feedback.label import progress, run_view, store
from feedback.label.guard import NAME, SHOWN, Guard, Rate, plain_name, same
from feedback.label.rater import RaterQuestion, Refused, answer, skip, undo, upcoming

HERE = Path(__file__).parent
_TEXT = 20_000  # letters of a text that are shown
_SESSION = 90 * 86_400  # seconds for which a browser remembers its rater
_FRESH = 3.0  # seconds for which an agreement is as good as new
_MEDIA = {"png": "image/png", "gif": "image/gif", "svg": "image/svg+xml", "audio": "audio/wav",
          "html": "text/html; charset=utf-8", "text": "text/plain; charset=utf-8"}  # fmt: skip


class Thing(NamedTuple):
    """A solution as it is shown."""

    name: str
    kind: str
    text: str = ""


class Page:
    """The handlers, over one store. They all run on one thread, so that one connection serves."""

    def __init__(self, run: Path, db: sqlite3.Connection, limit: float) -> None:
        self.run, self.db, self.disk = run, db, store.Disk(run)
        self.rate = Rate(limit)
        self._agreements: dict[str, tuple[float, progress.Agreement]] = {}
        loader = FileSystemLoader(HERE / "templates")
        self._pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)

    async def look(self, request: Request) -> Response:
        """Shows what is before the rater, or asks for a name."""
        return self._page(self._session(request))

    async def name(self, request: Request) -> Response:
        """Takes a name, or with leave=1 forgets it."""
        session, form = self._session(request), await _form(request)
        try:
            self._check(session, form, f"from {request.client.host if request.client else ''}")
            name = plain_name(form.get("name", ""))
            if not name and "leave" not in form:
                raise Refused(400, "Type a name, so that your answers are yours.")
        except Refused as refused:
            return self._page(session, refused)
        session["rater"] = name
        return RedirectResponse("/", 303)

    async def act(self, request: Request) -> Response:
        """Stores an answer, a skip or an undo, and shows what comes next."""
        session, form = self._session(request), await _form(request)
        rater, notice = session.get("rater", ""), None
        try:
            self._check(session, form, rater)
            if not rater:
                raise Refused(403, "Type your name first.")
            notice = self._do(request.url.path, rater, form)
            await self.disk.reached()
        except Refused as refused:
            return self._page(session, refused)
        if "x-swap" in request.headers:
            return self._page(session, None, notice)
        return RedirectResponse("/", 303)

    async def shown(self, request: Request) -> Response:
        """One solution, as the run's own file."""
        thing = self._thing(request.path_params["name"])
        if thing is None:
            raise Refused(404, "There is no such solution.")
        return FileResponse(self._file(thing.name), media_type=_MEDIA[thing.kind], headers=SHOWN)

    async def map(self, request: Request) -> Response:
        """The map of the moment, as a picture."""
        path = run_view.picture(self.run)
        if path is None:
            raise Refused(404, "There is no map yet.")
        return FileResponse(path, media_type="image/png")

    def _do(self, path: str, rater: str, form: dict[str, str]) -> str:
        if path == "/undo":
            return f"Your last {'answer' if undo(self.db, rater) == 'answered' else 'skip'} is taken back."
        if path == "/skip":
            skip(self.db, rater, form.get("token", ""))
            return "Put off."
        answer(self.db, rater, form.get("token", ""), form.get("said", ""))
        return "Stored."

    def _check(self, session: dict[str, str], form: dict[str, str], who: str) -> None:
        """Raises Refused where a form is not ours, or comes too quickly."""
        if not same(form.get("form", ""), session["form"]):
            raise Refused(403, "That form is not ours, or its cookie is gone. Here is a new one.")
        if not self.rate.allows(who):
            raise Refused(429, "A little slower, please: that was not stored.")

    def _session(self, request: Request) -> dict[str, str]:
        """Returns the session of this browser: what each of its forms must carry (no other site can read it), and the rater."""
        request.session.setdefault("form", secrets.token_hex(16))
        return request.session

    def _page(self, session: dict[str, str], refused: Refused | None = None, notice: str | None = None) -> Response:
        """The whole page: ``refused`` gives its status and what it says."""
        rater = session.get("rater", "")
        said: dict[str, Any] = {"words": str(refused) if refused else notice, "wrong": refused is not None}
        told = said | {"rater": rater, "form": session["form"], "longest": NAME, "run": str(self.run)}
        told |= self._around(rater) if rater else {"state": "name", "search": self.run.parent.name}
        response = HTMLResponse(self._pages.get_template("page.html").render(told), refused.status if refused else 200)
        if refused and refused.status == 429:
            response.headers["Retry-After"] = "1"
        return response

    def _around(self, rater: str) -> dict[str, Any]:
        """All that the page of somebody who has a name shows."""
        asked, count = upcoming(self.db, rater), progress.progress(self.db, rater)
        state = "question" if asked else "done" if run_view.finished(self.run) and not count.wanted else "waiting"
        picture = run_view.picture(self.run)
        return {
            "state": state,
            "search": self.run.parent.name,
            "asked": asked,
            "things": {} if asked is None else self._things(asked),
            "words_of": store.about(self.db, "words" if asked is None or asked.x else "words_better"),
            "count": count,
            "agreement": self._agreement(rater),
            "picture": None if picture is None else picture.stat().st_mtime_ns,
            "evaluations": run_view.evaluations(self.run),
        }

    def _agreement(self, rater: str) -> progress.Agreement:
        then, found = self._agreements.get(rater, (0.0, None))
        if found is None or time.monotonic() - then > _FRESH:
            found = progress.agreement(self.db, rater, self.run)
            self._agreements[rater] = time.monotonic(), found
        return found

    def _things(self, asked: RaterQuestion) -> dict[str, Thing]:
        named = {"x": asked.x, "left": asked.left, "right": asked.right}
        return {place: self._thing(name) or Thing(name, "gone") for place, name in named.items() if name}

    def _thing(self, name: str) -> Thing | None:
        row = self.db.execute("SELECT name, kind FROM things WHERE name = ?", (name,)).fetchone()
        if row is None or not self._file(name).is_file():
            return None
        text = self._file(name).read_text("utf-8", "replace") if row[1] == "text" else ""
        return Thing(row[0], row[1], text if len(text) <= _TEXT else text[:_TEXT] + " …")

    def _file(self, name: str) -> Path:
        (file,) = self.db.execute("SELECT file FROM things WHERE name = ?", (name,)).fetchone()
        return self.run / store.FOLDER / store.SHOWN / Path(file).name


def application(run: Path, db: sqlite3.Connection, hosts: frozenset[str], limit: float, key: str | None = None) -> Guard:
    """Returns the whole page behind its guard."""
    page = Page(run, db, limit)
    posts = [Route(path, page.act, methods=["POST"]) for path in ("/answer", "/skip", "/undo")]
    routes = [
        Route("/", page.look),
        Route("/name", page.name, methods=["POST"]),
        *posts,
        Route("/shown/{name}", page.shown),
        Route("/map", page.map),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    secret = store.about(db, "secret")  # the store's own, so that sessions outlive the server
    cookie = f"label-{hashlib.sha256(secret.encode()).hexdigest()[:8]}"  # two servers on one machine share a jar
    sessions = Middleware(SessionMiddleware, secret, cookie, max_age=_SESSION, same_site="strict")
    return Guard(Starlette(routes=routes, middleware=[sessions], exception_handlers={Refused: _refused}), hosts, key)


async def _refused(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return Response(refused.words, refused.status, media_type="text/plain")


async def _form(request: Request) -> dict[str, str]:
    """Reads a plain form; the guard has seen to its size."""
    text = (await request.body()).decode("utf-8", "replace")
    try:
        return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=20).items()}
    except ValueError:  # too many fields
        return {}
