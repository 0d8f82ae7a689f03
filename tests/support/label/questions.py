"""Questions without a search: things to look at, put into the store of an empty run, and somebody who answers them by http."""

import http.client
import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feedback.label import questions, store
from feedback.label.questions import Question
from qd.types import Rendering


def spot(i: int) -> Rendering:
    """A disc, the larger and the farther right the higher i."""
    r, x = 8 + 3 * (i % 12), 20 + 5 * (i % 13)
    disc = f'<rect width="100" height="100" fill="#eef"/><circle cx="{x}" cy="50" r="{r}" fill="#27b"/>'
    return Rendering(
        "svg", f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="200" height="200">{disc}</svg>'
    )


def fill(run: Path, things: Sequence[Rendering], n: int, want: int = 1, two: bool = False) -> list[int]:
    """Puts n questions about these things; every second one compares two where ``two``. Returns their numbers."""
    names = [f"{i}-{i:08x}" for i in range(len(things))]
    rng = np.random.default_rng(0)
    with store.opened(run) as db:
        store.note(db, "words", "Which of the two is more similar to the one above?")
        store.note(db, "words_better", "Which of the two is better?")
        for name, thing in zip(names, things, strict=True):
            file = f"{name}.{thing.kind}"
            data = thing.data if isinstance(thing.data, bytes) else thing.data.encode("utf-8", "surrogatepass")
            (run / store.FOLDER / store.SHOWN / file).write_bytes(data)
            questions.show(db, [(name, thing.kind, file)])
        asked: dict[str, Question] = {}
        while len(asked) < n:
            x, a, b = (names[i] for i in rng.choice(len(names), 3, replace=False))
            question = Question(None if two and len(asked) % 2 else x, a, b)
            asked.setdefault(question.key, question)
        return questions.put(db, list(asked.values()), want)


class Person:
    """Somebody with a browser that runs no script: keeps cookies and follows nothing by itself."""

    def __init__(self, port: int, name: str, host: str = "127.0.0.1") -> None:
        self.http = http.client.HTTPConnection(host, port, timeout=30)
        self.jar: dict[str, str] = {}
        self.page = self.get("/")[1]
        if name:
            self.status, _ = self.post("/name", name=name)
            self.page = self.get("/")[1]

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Returns status and text; a header of None is left out."""
        if self.jar:
            headers.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items()))
        if body is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        self.http.request(method, path, body, headers)
        response = self.http.getresponse()
        text = response.read().decode()
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.jar[name] = value
        return response.status, text

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self.send("GET", path, **headers)

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """Sends a form as the script does: the answer is the next page."""
        body = urllib.parse.urlencode({"form": self.form} | fields).encode()
        status, text = self.send("POST", path, body, **{"X-Swap": "1"})
        if "<main" in text:
            self.page = text
        return status, text

    def say(self, answer: str) -> int:
        """Answers what is on the page, and returns the status."""
        return self.post("/answer", token=self.token, answer=answer)[0]

    @property
    def form(self) -> str:
        return re.findall(r'name="form" value="(\w+)"', self.page)[0] if hasattr(self, "page") else ""

    @property
    def token(self) -> str:
        return "".join(re.findall(r'data-token="([^"]+)"', self.page))

    @property
    def state(self) -> str:
        return re.findall(r'data-state="(\w+)"', self.page)[0]
