"""A toy endpoint for unit tests: it answers at once and always the same, and understands nothing.

Stamped: its texts begin with "[toy]", it answers to the model name "toy" only, and its fingerprint is "toy".
"""

import hashlib
import json
import math
import random
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STAMP = "[toy]"
_GOOD = {"love", "loved", "happy", "joy", "sweet", "best", "good", "kissed", "cheered", "delight", "smile", "positive", "yes"}
_BAD = {"hate", "dead", "died", "blood", "cold", "lost", "ruin", "buried", "sad", "tragic", "negative", "horror", "no", "waste"}
_CHOICE = re.compile(r"\b(\w+) or (\w+)\b")
_RANGE = re.compile(r"from (\d+) to (\d+)")
_WORD = re.compile(r"[A-Za-z']+")


@dataclass(frozen=True)
class Toy:
    """A server on the loopback address, in a thread; shared by all in this process."""

    fingerprint: str = "toy"

    @property
    def extra(self) -> dict[str, Any]:
        """Nothing more is sent with a call."""
        return {}

    @property
    def warning(self) -> str:
        """The map of a run with it means nothing."""
        return "lm=toy understands nothing of a text: this map means nothing"

    def start(self) -> str:
        with _LOCK:
            if not _RUNNING:
                server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
                server.daemon_threads = True
                threading.Thread(target=server.serve_forever, name="toy", daemon=True).start()
                _RUNNING.append(server)
            return f"http://127.0.0.1:{_RUNNING[0].server_address[1]}/v1"

    def close(self) -> None:
        """It ends with the process: others may use it."""


_RUNNING: list[ThreadingHTTPServer] = []
_LOCK = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._say(200, {"status": "ok", "data": [{"id": "toy"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("model") != "toy":
            self._say(404, {"error": {"message": f"there is no model {body.get('model')}; type lm.model=toy"}})
        elif self.path == "/v1/chat/completions":
            self._say(200, chat(body))
        elif self.path == "/v1/completions":
            text = story(str(body["prompt"]), body.get("seed", 0))
            self._say(200, _whole({"text": text, "index": 0, "logprobs": None}, str(body["prompt"]), text))
        else:
            self._say(404, {"error": {"message": f"there is no {self.path}"}})

    def log_message(self, *args: Any) -> None:
        pass

    def _say(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """Answers a chat: by the schema, by the last "a or b", by the last "from 1 to 9", else with a story."""
    prompt = "\n".join(str(message["content"]) for message in body["messages"])
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        text, top = json.dumps(fill_schema(form["json_schema"]["schema"], prompt)), []
    else:
        top = preferences(prompt)
        text = top[0][0] if top else story(prompt, body.get("seed", 0))
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
    if body.get("logprobs"):
        tokens = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in top or [(text.split()[0], 1.0)]]
        choice["logprobs"] = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    return _whole(choice, prompt, text)


def preferences(prompt: str) -> list[tuple[str, float]]:
    """Returns likely first words of the answer with their probability, 0.98 together."""
    choices, ranges = list(_CHOICE.finditer(prompt)), list(_RANGE.finditer(prompt))
    mood = _mood(prompt)
    if ranges and (not choices or ranges[-1].start() > choices[-1].start()):
        low, high = map(int, ranges[-1].groups())
        weights = {str(n): math.exp(-abs(n - (low + mood * (high - low)))) for n in range(low, high + 1)}
    elif choices:
        weights = {word: 0.1 + abs(_leaning(word) - (1 - mood)) for word in choices[-1].groups()}
    else:
        return []
    total = sum(weights.values())
    return sorted(((word, 0.98 * w / total) for word, w in weights.items()), key=lambda pair: -pair[1])


def story(prompt: str, seed: int) -> str:
    """Returns words of the prompt, shuffled.

    Args:
        prompt: any text.
        seed: of the shuffle.
    """
    words = sorted({word.lower() for word in _WORD.findall(prompt)}) or ["nothing"]
    sample = random.Random(_number(prompt, seed)).choices(words, k=12)
    return f"{STAMP} {' '.join(sample)}."


def fill_schema(schema: dict[str, Any], prompt: str) -> Any:
    """Returns a value that fits a schema.

    Args:
        schema: a JSON schema.
        prompt: what the value depends on.
    """
    draw = random.Random(_number(prompt, json.dumps(schema, sort_keys=True)))
    if "enum" in schema:
        return draw.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {name: fill_schema(each, prompt + name) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [fill_schema(schema.get("items", {}), f"{prompt}{i}") for i in range(schema.get("minItems", 1))]
        case "integer" | "number":
            return draw.randint(int(schema.get("minimum", 0)), int(schema.get("maximum", 9)))
        case "boolean":
            return draw.random() < 0.5
    return story(prompt, 0)


def _mood(prompt: str) -> float:
    words = [word.lower() for word in _WORD.findall(prompt)]
    good, bad = sum(word in _GOOD for word in words), sum(word in _BAD for word in words)
    return (good + 1) / (good + bad + 2)


def _leaning(word: str) -> float:
    sign = (word.lower() in _GOOD) - (word.lower() in _BAD)
    return (1 + sign) / 2 if sign else _number(word.lower()) % 1000 / 999


def _number(*of: Any) -> int:
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:8], "big")


def _whole(choice: dict[str, Any], prompt: str, text: str) -> dict[str, Any]:
    used = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
    usage = used | {"total_tokens": sum(used.values())}
    return {
        "id": "toy",
        "object": "toy",
        "created": 0,
        "model": "toy",
        "choices": [choice | {"finish_reason": "stop"}],
        "usage": usage,
    }
