"""Hostile requests to the labelling page: damaged HTTP, forged forms, paths that leave the folder, names with markup.

The server must stay up, answer no request with 500, serve no file from outside,
and count exactly the answers that were valid.
"""

import random
import re
import socket
from pathlib import Path

from tests.fuzz.case import Report, Sentinel, Wrong, observe, of_seed
from tests.fuzz.damage import TOKENS
from tests.support.label.questions import Person, fill, spot
from tests.support.label.serving import served

PATHS = (
    "/", "/answer", "/skip", "/undo", "/name", "/map", "/static/page.css", "/shown/0-00000000.svg", "/shown/diary.svg",
    "/shown/../labels.sqlite", "/shown/%2e%2e/labels.sqlite", "/shown/..%2flabels.sqlite", "/static/../private.py",
    "//evil.example/",
    "/shown/%00", "/shown/" + "x" * 5000, "/?a=" + "b" * 9000, "/\u00e9", "*", "http://evil.example/", "/shown/",
    "/static/%2e%2e/%2e%2e/",
)  # fmt: skip
ROUTES = (
    *(("POST", path) for path in ("/answer", "/skip", "/undo", "/name")),
    *(("GET", path) for path in ("/", "/map", "/static/script.js", "/shown/0-00000000.svg", "/shown/diary.svg")),
)
METHODS = (
    ("GET",) * 6 + ("POST",) * 6 + ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "", "X" * 3000)
)
WORDS = (
    "left",
    "right",
    "?",
    "",
    "a",
    "1",
    "<b>",
    "left\x00",
    "\u202e",
    "x" * 100_000,
    "'; DROP TABLE answers; --",
    "%ff%fe",
    "left&answer=right",
)


def attack(report: Report, folder: Path, numbers: range) -> None:
    """Sends hostile requests to one server, with a valid answer in between from time to time."""
    sentinel, run = Sentinel(folder), folder / "run"
    run.mkdir()
    fill(run, [spot(i) for i in range(12)], 200)
    with served(run, "--limit", "100000") as port:
        (run / "labels" / "shown" / "diary.svg").symlink_to(sentinel.outside / "diary.txt")  # before the start it is refused
        person = Person(port, "rater")
        answers = 0
        for number in numbers:
            draw = of_seed(report.seed, number)
            request = _request(draw, port, person)
            outcome, message = observe(lambda request=request: _send(port, request), sentinel)
            report.add("request", outcome, f"case {number}, {request[:300]!r}: {message}")
            if number % 25 == 24:
                outcome, message = observe(lambda: _answer(person), sentinel)
                answers += outcome == "harmless"
                report.add("answer between", outcome, f"after case {number}: {message}")
        (run / "labels" / "shown" / "diary.svg").unlink()
        outcome, message = observe(lambda: _count(run, answers), sentinel)
        report.add("answers kept", outcome, message)


def _request(draw: random.Random, port: int, person: Person) -> bytes:
    """Builds a request: often one that is nearly right, with the cookie and form of a real rater, but never wholly so."""
    method, path = draw.choice(ROUTES) if draw.random() < 0.6 else (draw.choice(METHODS), draw.choice(PATHS))
    fields = {"form": person.form, "token": "forged", "answer": draw.choice(WORDS), "name": draw.choice(WORDS[:-1])}
    if draw.random() < 0.5:
        fields |= {"token": person.token, "answer": draw.choice(WORDS[3:])}  # the question at hand, and no answer to it
    chosen = [f"{name}={value}" for name, value in fields.items() if draw.random() < 0.7]
    body = "&".join(chosen).encode("utf-8", "replace")
    if draw.random() < 0.2:
        body += draw.choice((*TOKENS, b"&" * 5000, b"a=1&" * 2000, b"=" * 100))
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    if path != "/undo" and draw.random() < 0.5:  # to take an answer back is the rater's right
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in person.jar.items())
    if draw.random() < 0.3:
        headers["X-Swap"] = "1"
    for _ in range(draw.choice((0, 0, 1, 2))):
        name = draw.choice(
            (*headers, "Origin", "Transfer-Encoding", "Expect", "Range", "Upgrade", "Sec-Fetch-Site", "X" * 9000)
        )
        headers[name] = draw.choice(("", "evil.example", "chunked", "-1", "999999999", "x" * 9000, "\x00", "bytes=0-1",
        "100-continue",
                                     "websocket", "multipart/form-data; boundary=x", "text/plain", "cross-site"))  # fmt: skip
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    data = head.encode("utf-8", "replace") + b"Connection: close\r\n\r\n" + body
    if draw.random() < 0.15:
        at = draw.randrange(len(data))
        data = draw.choice(
            (data[:at], data[:at] + draw.choice(TOKENS) + data[at:], draw.randbytes(200), data.replace(b"\r\n", b"\n"))
        )
    return data


def _send(port: int, request: bytes) -> None:
    """Sends raw bytes and reads what comes back, if anything."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
        try:
            connection.sendall(request)
            while piece := connection.recv(65_536):
                data += piece
        except (ConnectionError, TimeoutError):  # it was turned away, or the server waits for the rest of it
            pass
    status = re.match(rb"HTTP/1\.1 (\d{3})", data)
    if status and status[1].startswith(b"5") and status[1] not in (b"501", b"503", b"505"):
        raise Wrong(f"answered with {data[:200]!r}")
    if b"private\n" in data or b"SQLite format" in data:
        raise Wrong(f"served a file from outside: {data[:300]!r}")


def _answer(person: Person) -> None:
    person.page = person.get("/")[1]
    status = person.say("left")
    if status not in (200, 303):
        raise Wrong(f"a valid answer got status {status}")


def _count(run: Path, answers: int) -> None:
    from feedback.label import store

    with store.opened(run) as db:
        (kept,) = db.execute("SELECT count(*) FROM answers").fetchone()
    if kept != answers:
        raise Wrong(f"{kept} answers are kept, {answers} were given")
