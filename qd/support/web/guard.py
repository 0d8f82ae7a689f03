"""Access control of our pages: hosts, the key, forms of our own only, sizes and time limits.

Pure functions and one small ASGI wrapper, so that nothing reaches the page before it.
"""

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BODY = 16_384  # bytes of a form
BODY_SECONDS = 10.0  # in which it must arrive
_MOST_DRAIN = 64 << 20  # bytes of a body that are read and dropped, so that its sender gets the refusal

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
RENDERING_HEADERS = {  # renderings may come from strangers: they run no script and load nothing
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Cache-Control": "private, max-age=86400, immutable",
}


def same(one: str, two: str) -> bool:
    """Compares two secrets in a time that does not depend on where they differ.

    Args:
        one: text; it may hold any characters.
        two: the other.
    """
    return hmac.compare_digest(one.encode("utf-8", "replace"), two.encode("utf-8", "replace"))


def hosts(bound: str, port: int, more: tuple[str, ...] = ()) -> frozenset[str]:
    """Returns the Host headers that a server bound there answers to, as browsers write them.

    Args:
        bound: address that it listens on; 0.0.0.0 and :: add the names and addresses of this machine.
        port: written behind each name; port 80 may also be left out.
        more: further names.
    """
    names = {*LOOPBACK, *more} if bound in (*LOOPBACK, "0.0.0.0", "::") else {bound, *more}
    if bound in ("0.0.0.0", "::"):
        here = socket.gethostname()
        names |= {here, socket.getfqdn()}
        with suppress(OSError):  # a machine that does not know its own name
            names |= {str(info[4][0]) for info in socket.getaddrinfo(here, None)}
    spellings = {f"[{name}]" if ":" in name else name.lower() for name in names}
    return frozenset({f"{name}:{port}" for name in spellings} | (spellings if port == 80 else set()))


@dataclass
class Guard:
    """Refuses a forged Host (400), a missing key (401), another site's form (403), a slow (408) and a large body (413).

    The page behind it sees none of them. All that leaves it carries the headers that keep a browser from going elsewhere.
    """

    app: Callable[..., Awaitable[None]]
    hosts: frozenset[str]
    key: str | None = None  # a browser with ?key=... is let in and stores it as a cookie; None: no key is needed

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        key = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        refusal = self._refusal(headers, scope["method"], key)
        if refusal is None and self.key is not None and key:
            cookie = f"key={self.key}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
            await _send(send, 303, "", {"location": "/", "set-cookie": cookie})
            return
        if refusal is None and scope["method"] == "POST":
            body = await _read(receive)
            if isinstance(body, bytes):
                receive = _replay(body, receive)
            else:
                refusal = body
        if refusal is not None:
            await _send(send, *refusal)
        else:
            await self.app(scope, receive, _with_headers(send))

    def _refusal(self, headers: dict[bytes, str], method: str, key: str) -> tuple[int, str] | None:
        host, origin = headers.get(b"host", "").lower(), headers.get(b"origin")
        if host not in self.hosts:
            return 400, "This server does not answer to that host."
        if self.key is not None and not same(key or _cookie(headers.get(b"cookie", ""), "key"), self.key):
            return 401, "Open the address that the server printed, with its key."
        if method == "POST" and origin is not None and urlsplit(origin).netloc.lower() != host:
            return 403, "That form is not ours."
        return None


async def _read(receive: Any) -> bytes | tuple[int, str]:
    """Reads a body and keeps at most the size of a form; returns a status and text where it is too large or too slow."""
    content, size, more = b"", 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and size < _MOST_DRAIN:
                message = await receive()
                if message["type"] != "http.request":
                    return 400, "The form is incomplete."
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                content = content + chunk if size <= BODY else b""
    except TimeoutError:
        return 408, "The form took too long to arrive."
    return content if size <= BODY else (413, "That is too large.")


def _cookie(cookies: str, name: str) -> str:
    parts = (part.strip().partition("=") for part in cookies.split(";"))
    return next((value for key, _, value in parts if key == name), "")


def _with_headers(send: Any) -> Any:
    async def send_with_headers(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in names)]
        await send(message)

    return send_with_headers


def _replay(body: bytes, receive: Any) -> Any:
    is_first = True

    async def again() -> dict[str, Any]:
        nonlocal is_first
        if not is_first:
            return await receive()
        is_first = False
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _send(send: Any, status: int, words: str, more: dict[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", "connection": "close"} | HEADERS | (more or {})
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": words.encode()})
