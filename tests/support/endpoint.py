"""An endpoint of the OpenAI kind on loopback, from the standard library, with faults injected by a script."""

import base64
import gzip
import io
import json
import math
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

FAULTS = (
    "429", "429 after", "429 date", "500", "503", "408", "timeout", "cut", "cut half", "truncated", "html", "no choices",
    "null", "refusal", "wrong labels", "drip", "overflow", "quota",
)  # fmt: skip
FINAL = ("refusal", "wrong labels", "overflow", "quota")  # repeated, they would be the same
Script = Callable[[int, dict[str, Any]], str]


class Endpoint(ThreadingHTTPServer):
    """Counts and remembers what it is sent; ``script(n, body)`` names the fault of call n, "" for none.

    Args:
        latency: seconds before each answer.
        slow: seconds that the faults "timeout" and "drip" take.
        thinks: where its model's thinking stands: "tags", "tags open" (the prompt opens the tag), "apart", "" for none.
        thinking: tokens that it thinks.
        llama: it is like llama.cpp's server: log-probabilities depend on the last prompt, unless cache_prompt is false.
        modern: it takes max_completion_tokens alone, and no temperature.
        usage: what it bills instead of the truth.
        can: logprobs, schema, completions, echo; fickle: it never says the same twice;
            zeros: it fills in 0 for each log-probability.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, script: Script = lambda n, body: "", latency: float = 0.0, slow: float = 1.0, *, thinks: str = "",
        thinking: int = 0, llama: bool = False, modern: bool = False, usage: dict[str, int] | None = None, **can: bool,
    ) -> None:  # fmt: skip
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.latency, self.slow = script, latency, slow
        self.thinks, self.thinking, self.llama, self.modern, self.usage = thinks, thinking, llama, modern, usage
        self.last_prompt = ""
        self.fickle = can.pop("fickle", False)  # never says the same twice
        self.zeros = can.pop("zeros", False)
        self.can = {"logprobs": True, "schema": True, "completions": True, "echo": False} | can
        self.lock, self.requests, self.replied = threading.Lock(), [], []  # bodies
        self.headers: list[dict[str, str]] = []
        self.faults: Counter = Counter()
        self.flying = self.most = 0
        self.used = [0, 0]  # tokens of whole answers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""


@contextmanager
def serving(*args: Any, **kwargs: Any):
    server = Endpoint(*args, **kwargs)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            number = len(server.requests)
            server.requests.append(body)
            server.headers.append({name.title(): value for name, value in self.headers.items()})
            fault = server.script(number, body)
            server.faults.update([fault] if fault else [])
            server.flying += 1
            server.most = max(server.most, server.flying)
        try:
            time.sleep(server.latency)
            self._answer(body, fault, number if server.fickle else None)
        finally:
            with server.lock:
                server.flying -= 1

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, body: dict[str, Any], fault: str, nonce: int | None) -> None:
        head = fault.split()[0] if fault else ""
        if self.server.modern and "messages" in body and (name := _outdated(body)):
            self._say(400, {"error": {"message": f"Unsupported parameter: {name}", "code": "unsupported_parameter"}})
        elif head in ("429", "500", "503", "408"):
            after = {"429 after": "0.02", "429 date": "Mon, 01 Jan 2024 00:00:00 GMT", "429 long": "50"}.get(fault)
            self._say(int(head), {"error": {"message": "no"}}, {"Retry-After": after} if after else {})
        elif head in ("endless", "large"):
            self._send_endlessly(500 if "500" in fault else 200, "" if head == "endless" else str(10**12))
        elif fault == "bomb":
            self._send(200, gzip.compress(b" " * 64_000_000), {"Content-Encoding": "gzip"})
        elif fault == "overflow":
            self._say(400, {"error": {"message": "the request exceeds the available context size"}})
        elif fault == "quota":
            self._say(429, {"error": {"message": "pay", "code": "insufficient_quota"}})
        elif fault == "html":
            self._send(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
        elif fault == "cut":
            self._hang_up()
        elif fault == "timeout":
            time.sleep(self.server.slow)
            self._hang_up()
        elif head == "404":
            self._say(404, {"error": {"message": "not found"}})
        else:
            self._whole(body, fault, nonce)

    def _picture(self, body: dict[str, Any], fault: str) -> None:
        """A picture of one colour, by the prompt's hash, with the tokens that OpenAI states."""
        colour = zlib.crc32(body["prompt"].encode()).to_bytes(4, "big")[:3]
        file = io.BytesIO()
        Image.new("RGB", (16, 16), tuple(colour)).save(file, "PNG")
        usage = {"input_tokens": len(body["prompt"]), "output_tokens": 100}
        content = {"created": 1, "data": [{"b64_json": base64.b64encode(file.getvalue()).decode()}], "usage": usage}
        if fault:
            content["data"] = [{}]
        else:
            with self.server.lock:
                self.server.replied.append(body)
        self._send(200, json.dumps(content).encode())

    def _whole(self, body: dict[str, Any], fault: str, nonce: int | None) -> None:
        if self.path.endswith("images/generations"):
            return self._picture(body, fault)
        content, can = reply(body, fault == "wrong labels", nonce), self.server.can
        if "prompt" in body and not (can["completions"] and (can["echo"] or not body.get("echo"))):
            return self._say(404 if not can["completions"] else 400, {"error": {"message": "no such thing"}})
        if "response_format" in body and not can["schema"]:
            return self._say(400, {"error": {"message": "response_format is not supported"}})
        if self.server.llama:
            self._remember(body, content)
        if self.server.thinks and "messages" in body:
            _think(body, content["choices"][0], content["usage"], self.server.thinks, self.server.thinking)
        content["usage"] = self.server.usage or content["usage"]
        if not can["logprobs"]:
            content["choices"][0].pop("logprobs", None)
        if self.server.zeros:
            _fill_in_zeros(content["choices"][0].get("logprobs"))
        if fault == "no choices":
            content["choices"] = []
        elif fault == "null":
            content["choices"][0] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None}}
        elif fault == "refusal":
            content["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I would rather not"}
        text = json.dumps(content).encode()
        if fault == "gzip":
            return self._send(200, gzip.compress(text), {"Content-Encoding": "gzip"})
        if fault == "truncated":
            return self._send(200, text[: len(text) // 2])
        if fault == "cut half":
            self._headers(200, len(text))
            self.wfile.write(text[: len(text) // 2])
            return self._hang_up()
        if fault == "drip":
            self._headers(200, len(text))
            for i in range(len(text)):
                self.wfile.write(text[i : i + 1])
                time.sleep(self.server.slow / 8)
            return None
        if not fault:
            with self.server.lock:  # before it is sent: the client may look here as soon as it has the answer
                self.server.replied.append(body)
                for i, name in enumerate(("prompt_tokens", "completion_tokens")):
                    self.server.used[i] += content["usage"][name]
        self._send(200, text)
        return None

    def _remember(self, body: dict[str, Any], content: dict[str, Any]) -> None:
        prompt = str(body.get("messages") or body.get("prompt"))
        with self.server.lock:
            last, self.server.last_prompt = self.server.last_prompt, prompt
        content["timings"] = {"prompt_n": len(prompt), "cache_n": 0}
        block = content["choices"][0].get("logprobs")
        if body.get("cache_prompt", True) and "messages" in body and block:
            for top in block["content"][0]["top_logprobs"]:
                top["logprob"] -= zlib.crc32(f"{last} {top['token']}".encode()) % 1000 / 4000

    def _send_endlessly(self, status: int, length: str) -> None:
        self.send_response(status)
        if length:
            self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for _ in range(40_000):  # 2.6 GB, or until the client leaves
            self.wfile.write(b" " * 65_536)

    def _say(self, status: int, content: dict[str, Any], more: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), more)

    def _send(self, status: int, data: bytes, more: dict[str, str] | None = None) -> None:
        self._headers(status, len(data), more)
        self.wfile.write(data)

    def _headers(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(length)} | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def reply(body: dict[str, Any], wrong: bool = False, nonce: int | None = None) -> dict[str, Any]:
    """A whole answer, always the same for the same body: text by its hash, "yes" by whether the prompt says good."""
    prompt = body.get("prompt") or "\n".join(m["content"] for m in body["messages"])
    likely = 0.9 if "good" in prompt else 0.2
    if nonce is not None:
        likely = 0.05 + nonce * 0.37 % 0.9
    text = f"answer {'' if nonce is None else nonce}{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"
    form = body.get("response_format", {})
    if form.get("type") == "json_schema":
        text = json.dumps(_fitting(form["json_schema"]["schema"], likely))
    usage = {"prompt_tokens": len(prompt) // 4 + 1, "completion_tokens": len(text) // 4 + 1}
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    if "prompt" in body:
        choice |= {"text": text, "logprobs": _echoed(prompt, likely) if body.get("echo") else None}
    else:
        choice["message"] = {"role": "assistant", "content": text}
    if body.get("logprobs") and "messages" in body:
        tokens = {"yes": 0.9 * likely, "Yes": 0.05 * likely, "no": 1 - likely - 0.02, "maybe": 0.01}
        if "1 to 9" in prompt:
            tokens = {str(i): 0.1 for i in range(1, 10)} | {"9": 0.2}
        tokens = {"what": 0.99} if wrong else tokens
        top = [{"token": token, "logprob": math.log(p)} for token, p in tokens.items()]
        choice["logprobs"] = {"content": [top[0] | {"top_logprobs": top}]}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice], "usage": usage}


def _outdated(body: dict[str, Any]) -> str:
    """What a newer model does not take, in its own words."""
    if "max_tokens" in body:
        return "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    return "'temperature' does not support this value. Only the default (1) is." if body.get("temperature", 1) != 1 else ""


def _think(body: dict[str, Any], choice: dict[str, Any], usage: dict[str, int], thinks: str, tokens: int) -> None:
    """Adds thinking to an answer; where the limit on tokens is reached, nothing else is left of it."""
    limit, message = body.get("max_tokens", 10**9), choice["message"]
    choice.pop("logprobs", None)
    if limit < tokens:
        usage["completion_tokens"], choice["finish_reason"] = limit, "length"
        message["content"] = {"tags": "<think>hm, hm", "tags open": "hm, hm", "apart": None}[thinks]
    else:
        usage["completion_tokens"] += tokens
        opening = {"tags": "<think>hm, hm</think>\n\n", "tags open": "hm, hm</think>\n", "apart": ""}[thinks]
        message["content"] = opening + message["content"]
    if thinks == "apart":
        message["reasoning_content"] = "hm, hm"


def _fitting(schema: dict[str, Any], likely: float) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: _fitting(each, likely) for name, each in schema["properties"].items()}
    low, high = schema.get("minimum", 0), schema.get("maximum", 9)
    return round(low + likely * (high - low)) if schema["type"] == "integer" else "word"


def _fill_in_zeros(block: dict[str, Any] | None) -> None:
    """Makes each token certain, as servers do that give the log-probabilities after a choice at temperature 0."""
    if block and "content" in block:
        for top in block["content"][0]["top_logprobs"]:
            top["logprob"] = 0.0
    elif block:
        block["token_logprobs"] = [None, *[0.0] * (len(block["token_logprobs"]) - 1)]


def _echoed(prompt: str, likely: float) -> dict[str, Any]:
    """One token a word; the last word's probability says whether it fits."""
    offsets = [0] + [i for i, letter in enumerate(prompt) if letter == " "]
    last = likely if prompt.endswith("yes") else 1 - likely
    return {"text_offset": offsets, "token_logprobs": [None, *[-1.0] * (len(offsets) - 2), math.log(last)][: len(offsets)]}
