"""Endpoints that misbehave: whole replies of a language model, damaged on the way, from a server on loopback.

The client raises nothing. A text that it returns must be the one in the reply, a probability must be one, and what it counts
as billed must be what the reply says or at most what was asked for.
"""

import gzip
import json
import math
import random
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from feedback.lm.client import LM
from feedback.lm.transport import retries
from feedback.lm.transport.probe import Traits
from qd.support.errors import UserError
from qd.types import Spent
from tests.fuzz.case import Report, Sentinel, Wrong, observe, of_seed
from tests.fuzz.damage import TOKENS

TEXT = "a red fox at dawn"
LIMITS = {"concurrency": 2, "timeout": 1.0, "deadline": 2.0, "attempts": 2}
NUMBERS = (0, -1, 2**63, 10**15, 1e308, 0.5, None, "7", [], {}, True, math.inf, math.nan)
STATUSES = (200,) * 30 + (
    100,
    101,
    201,
    204,
    206,
    301,
    302,
    307,
    400,
    401,
    403,
    404,
    408,
    413,
    418,
    422,
    429,
    500,
    502,
    503,
    529,
)
MOST_TOKENS = 100_000_000


def attack(report: Report, folder: Path, numbers: range) -> None:
    """Asks one question in each case and gets a damaged reply, twice at most."""
    retries._FIRST, retries._LONGEST = 0.002, 0.01
    sentinel = Sentinel(folder)
    with _server() as server:
        for number in numbers:
            draw = of_seed(report.seed, number)
            kind = draw.choice(("text", "labels", "rating", "json"))
            body, how = _damaged(draw, _whole(kind), server.server_address)
            server.reply = body
            traits = Traits(logprobs=True, schema="json_schema", completions=True, seed="repeats")
            lm = LM(model="m", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", traits=traits, limits=LIMITS)
            outcome, message = observe(lambda lm=lm, kind=kind, body=body: _ask(lm, kind, body), sentinel)
            lm.close()
            report.add(kind, outcome, f"case {number}, {kind} ({how}): {message}")


def _ask(lm: LM, kind: str, sent: bytes) -> None:
    failed = False
    try:
        if kind == "text":
            text = lm(["Name an animal."], role=kind)[0]
            failed = text is None
            if text is not None and text != _content(sent):
                raise Wrong(f"{text[:100]!r} is not what was sent")
        elif kind == "labels":
            scores = lm.label_scores(["Is it good? yes or no"], ("yes", "no"), role=kind)
            failed = bool(np.isnan(scores.probabilities).all())
            if not failed and not (
                np.all(scores.probabilities >= 0) and math.isclose(scores.probabilities.sum(), 1, rel_tol=1e-6)
            ):
                raise Wrong(f"probabilities {scores.probabilities}")
        elif kind == "rating":
            rating = float(lm.rating(["How good, from 1 to 9?"], role=kind)[0])
            failed = math.isnan(rating)
            if not failed and not 1 <= rating <= 9:
                raise Wrong(f"rating {rating}")
        else:
            schema = {"type": "object", "properties": {"mood": {"enum": ["glad", "grim"]}}, "required": ["mood"]}
            value = lm.generate_json(["Which mood?"], schema, role=kind)[0]
            failed = value is None
            if value is not None and value.get("mood") not in ("glad", "grim"):
                raise Wrong(f"{value} does not fit the schema")
    except Spent:
        failed = True
    rows = lm.report()
    for row in rows:
        counts = [value for name, value in row.items() if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if any(not math.isfinite(value) or value < 0 or value > 10 * MOST_TOKENS for value in counts):
            raise Wrong(f"the report says {row}")
    if failed and not sum(row.get("failed", 0) for row in rows):
        raise Wrong(f"a failed call is not counted: {rows}")
    if failed:
        raise UserError("the call failed, and is counted")


def _whole(kind: str) -> dict[str, Any]:
    labels = {"labels": {"yes": 0.7, "no": 0.25}, "rating": {str(i): 0.1 for i in range(1, 10)}}.get(kind, {})
    content = '{"mood": "glad"}' if kind == "json" else TEXT if kind == "text" else next(iter(labels))
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    if labels:
        top = [{"token": token, "logprob": math.log(p)} for token, p in labels.items()]
        choice["logprobs"] = {"content": [top[0] | {"top_logprobs": top}]}
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _damaged(draw: random.Random, body: dict[str, Any], address: tuple) -> tuple[bytes, str]:
    """Returns a whole HTTP response, and what is wrong with it."""
    done, status, headers = [], draw.choice(STATUSES), {"Content-Type": "application/json"}
    if draw.random() < 0.5:
        done.append(_damage_value(draw, body))
    data = json.dumps(body).encode()
    if draw.random() < 0.4:
        at = draw.randrange(len(data))
        token = draw.choice((*TOKENS, b"<html>", b"[" * 30_000, b" " * 3_000_000, b"data: "))
        data = draw.choice((data[:at], data[:at] + token + data[at:], data[:at] + token + data[at + 1 :], token, data + data))
        done.append(f"bytes at {at}")
    if draw.random() < 0.1:
        data, headers["Content-Encoding"] = gzip.compress(data + b" " * draw.choice((0, 80_000_000))), "gzip"
        done.append("gzip")
    if draw.random() < 0.05:
        headers["Content-Encoding"] = draw.choice(("gzip", "br", "deflate", "identity", "x"))
    if status >= 300:
        headers["Retry-After"] = draw.choice(("0", "-1", "60", "1e9", "Mon, 01 Jan 2024 00:00:00 GMT", "soon"))
        headers["Location"] = draw.choice(
            ("/elsewhere", f"http://127.0.0.1:{address[1]}/v1/chat/completions", "file:///etc/hosts", "x:")
        )
    headers["Content-Length"] = str(draw.choice((len(data),) * 12 + (0, len(data) // 2, len(data) + 9, -1, "x", 10**12)))
    if draw.random() < 0.05:
        headers[draw.choice(("X" * 70_000, "a b", "", "Content-Length"))] = draw.choice(("1", "\x00", "x" * 70_000))
    done.append(f"status {status}, {len(data)} bytes")
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close", "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    if draw.random() < 0.03:
        head = draw.choice((b"", b"HTTP/9.9 abc\r\n\r\n", draw.randbytes(50), head.replace(b"\r\n", b"\n")))
    return head + data, ", ".join(done)


def _damage_value(draw: random.Random, body: dict[str, Any]) -> str:
    """Puts something else where one value of the JSON stands."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            if isinstance(value, (dict, list)):
                walk(value)

    walk(body)
    node, key = draw.choice(places)
    if isinstance(node, dict) and draw.random() < 0.2:
        del node[key]
        return f"without {key}"
    value = draw.choice(
        (*NUMBERS, "", "x" * 100_000, "<think>hm", "\ud800", "\x00", [1, 2], {"a": 1}, "length", "content_filter")
    )
    node[key] = value
    return f"{key} is {str(value)[:20]!r}"


def _content(sent: bytes) -> str | None:
    """What a plain reader finds as the text of a response; None where it is not plain JSON."""
    head, _, data = sent.partition(b"\r\n\r\n")
    if b"\r\n" not in head[:20]:  # lines end by a line feed alone, which clients read too
        head, _, data = sent.partition(b"\n\n")
        head = head.replace(b"\n", b"\r\n")
    length = next(line.partition(b":")[2].strip() for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    data = data[: int(length)] if length.isdigit() else data
    data = gzip.decompress(data) if b"Content-Encoding: gzip" in head and data[:2] == b"\x1f\x8b" else data
    text = json.loads(data.decode("utf-8", "replace"))["choices"][0]["message"]["content"]
    text = "".join(part["text"] for part in text) if isinstance(text, list) else text
    return text.replace("\x00", "").replace("\ud800", "\ufffd")


@contextmanager
def _server() -> Iterator[Any]:
    """A server that sends ``reply`` to whatever it is asked."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            try:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += self.request.recv(65_536) or b"\r\n\r\n"
                self.request.sendall(server.reply)
                self.request.shutdown(socket.SHUT_WR)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, allow_reuse_address, reply = True, True, b""

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that leaves is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
