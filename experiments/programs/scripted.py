"""A scripted model: an endpoint that edits the program in its prompt, the same for the same prompt and seed.

It changes numbers, or repeats an assignment with other numbers; the reply is the whole program or exact edits.

It understands nothing of code, costs nothing and repeats itself: for tests, and for comparing search loops at equal calls.

    python -m experiments.programs.scripted [PORT]
"""

import difflib
import hashlib
import json
import random
import re
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BLOCK = re.compile(r"```[\w+#.-]*\n(.*?)```", re.DOTALL)
_END = ">" * 7 + " REPLACE"
_HEAD = re.compile(r"`(def \w+\(.*?:)`|Python function (\w+\([\w, ]*\))")
_NAME = re.compile(r"\b(?!return|for|in|if|else|and|or|not|len|range)[a-z_]\w*\b(?!\()")
_ASSIGNMENT = re.compile(r"^\s+[\w.]+(\[[^\]]*\])?\s*[-+*/]?=\s*[^=].*[\w)\]]\n$")  # a whole statement of one line
_NUMBER = re.compile(r"(?<![\w.\"'])(\d+\.\d+|\d+)(?![\w.\"'])")


@dataclass(frozen=True)
class Scripted:
    """A server on the loopback address, in a thread of this process."""

    prose: float = 0.05  # share of replies without code
    fingerprint: str = "scripted 2"

    @property
    def extra(self) -> dict[str, Any]:
        """Nothing more is sent with a call."""
        return {}

    @property
    def warning(self) -> str:
        """What the reader of a run must know."""
        return "a script edits the programs: this is no language model"

    def start(self) -> str:
        """Starts it where it does not run yet, and returns its base URL."""
        with _LOCK:
            if self.prose not in _RUNNING:
                server = serve(0, self.prose)
                threading.Thread(target=server.serve_forever, name="scripted", daemon=True).start()
                _RUNNING[self.prose] = server
            return f"http://127.0.0.1:{_RUNNING[self.prose].server_address[1]}/v1"

    def close(self) -> None:
        """It ends with the process: others may use it."""


_RUNNING: dict[float, ThreadingHTTPServer] = {}
_LOCK = threading.Lock()


def serve(port: int, prose: float) -> ThreadingHTTPServer:
    """Returns a server that is not started.

    Args:
        port: on loopback; 0: any.
        prose: share of replies without code.
    """
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.prose = prose  # type: ignore[attr-defined]
    server.calls = 0  # type: ignore[attr-defined]
    return server


def reply(prompt: str, seed: object, prose: float) -> str:
    """Returns what the script answers.

    Args:
        prompt: of the call, all messages joined.
        seed: of the call.
        prose: share of replies without code.
    """
    rng = random.Random(hashlib.sha256(f"{seed} {prompt}".encode()).digest())
    if rng.random() < prose:
        return "I would try another idea: keep the good parts, and change the rest."
    blocks = [block for block in _BLOCK.findall(prompt) if "def " in block or "function" in block]
    if (
        ("def " not in prompt and not blocks)
        or "no code" in prompt
        or "without code" in prompt
        or "observations" in prompt[-200:]
    ):
        return "\n".join(f"- idea {rng.randrange(1000)} about {word}" for word in (prompt.split() * 4)[:4])
    program = current(prompt, blocks)
    if not program and (head := _HEAD.search(prompt)):
        return f"```python\n{head[1] or f'def {head[2]}:'}\n    return {rng.choice(('0', '1', '[]', 'True'))}\n```"
    if not program:
        return "- There is no program to edit."
    edited = next((text for _ in range(5) if (text := edit(program, rng)) != program), program)
    if "SEARCH" not in prompt or edited == program:
        return f"```python\n{edited}```"
    return "\n".join(f"<<<<<<< SEARCH\n{a}\n=======\n{b}\n{_END}" for a, b in pairs(program, edited))


def pairs(program: str, edited: str) -> list[tuple[str, str]]:
    """Returns the lines that differ, as (old, new); new ones stand with the line before them.

    Args:
        program: source.
        edited: the same with lines that are changed or added.
    """
    old, new = program.splitlines(), edited.splitlines()
    changes = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "replace":
            changes.append(("\n".join(old[a:b]), "\n".join(new[c:d])))
        elif tag == "insert":
            changes.append((old[a - 1], "\n".join([old[a - 1], *new[c:d]])))
    return changes


def current(prompt: str, blocks: list[str]) -> str:
    """Returns the program that a prompt asks to change: behind "Current Program", else the first one.

    Args:
        prompt: of the call.
        blocks: of code in it.
    """
    _head, mark, tail = prompt.rpartition("# Current Program")
    behind = list(_BLOCK.findall(tail)) if mark else []
    return (behind or blocks or [""])[0]


def edit(program: str, rng: random.Random) -> str:
    """Changes one to three numbers of a program, or repeats a line with other ones, between its EVOLVE-BLOCK markers.

    Args:
        program: source.
        rng: of the draws.
    """
    lines = program.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if "EVOLVE-BLOCK-START" in line), -1)
    end = next((i for i, line in enumerate(lines) if "EVOLVE-BLOCK-END" in line), len(lines))
    fixed = ("def ", "#", "import", "from", '"""')
    single = [
        i for i in range(start + 1, end) if lines.count(lines[i]) == 1
    ]  # edits are exact: their search text stands there once
    places = [i for i in single if _NUMBER.search(lines[i]) and not lines[i].strip().startswith(fixed)]
    if not places:
        return _with_factor(program, rng)
    again = [i for i in places if _ASSIGNMENT.match(lines[i])]
    if again and rng.random() < 0.3:
        i = rng.choice(again)
        return "".join([*lines[: i + 1], _changed(lines[i], rng), *lines[i + 1 :]])
    for _ in range(rng.choice((1, 1, 2, 3))):
        i = rng.choice(places)
        lines[i] = _changed(lines[i], rng)
    return "".join(lines)


def _changed(line: str, rng: random.Random) -> str:
    match = rng.choice(list(_NUMBER.finditer(line)))
    return line[: match.start()] + _other(match[0], rng) + line[match.end() :]


def _with_factor(program: str, rng: random.Random) -> str:
    """Multiplies a name of a line that returns something, where there is no number to change."""
    lines = program.splitlines(keepends=True)
    places = [(i, match) for i, line in enumerate(lines) if "return" in line for match in _NAME.finditer(line)]
    if not places:
        return program
    i, match = rng.choice(places)
    lines[i] = f"{lines[i][: match.start()]}({match[0]} * {2 ** rng.gauss(0, 1):.3f}){lines[i][match.end() :]}"
    return "".join(lines)


def _other(number: str, rng: random.Random) -> str:
    if "." in number:
        return f"{float(number) * 2 ** rng.gauss(0, 0.5):.4f}"
    value = int(number)
    return str(max(0, value + rng.choice((-2, -1, 1, 2)))) if value < 20 else str(max(1, round(value * 2 ** rng.gauss(0, 0.5))))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._say({"status": "ok", "data": [{"id": "scripted"}], "calls": self.server.calls})  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls += 1  # type: ignore[attr-defined]
        prompt = "\n".join(str(message["content"]) for message in body.get("messages", [])) or str(body.get("prompt", ""))
        text = reply(prompt, body.get("seed", 0), self.server.prose)  # type: ignore[attr-defined]
        used = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}
        head = {"id": "scripted", "object": "chat.completion", "created": 0, "model": body.get("model", "scripted")}
        self._say(head | {"choices": [choice], "usage": used | {"total_tokens": sum(used.values())}})

    def log_message(self, *args: Any) -> None:
        pass

    def _say(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    serving = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0, 0.05)
    print(f"http://127.0.0.1:{serving.server_address[1]}/v1", flush=True)
    serving.serve_forever()
