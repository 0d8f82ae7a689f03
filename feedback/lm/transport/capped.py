"""Bodies of responses with a cap on their size, also after decompression: an endless or compressed body fills no memory."""

import zlib
from collections.abc import Awaitable, Callable
from typing import Any


class TooLargeError(ValueError):
    """The body of a response has more bytes than it may have."""


class UnreadableError(ValueError):
    """The body of a response is packed in a way that cannot be read."""


def cap(most: int) -> Callable[[Any], Awaitable[None]]:
    """Returns an event hook of httpx that reads a response's body.

    Args:
        most: bytes that the body may have, packed and unpacked.

    Returns:
        A coroutine function of an httpx.Response (of whichever httpx the openai package has); it raises TooLargeError as
        soon as there are more bytes, and UnreadableError where they cannot be unpacked.
    """

    async def hook(response: Any) -> None:
        unpack, stream = _unpacker(response.headers.pop("content-encoding", "")), response.stream
        packed, body = 0, bytearray()
        async for block in stream:
            packed += len(block)
            if packed <= most:
                body += unpack(block, most + 1 - len(body))
            if max(packed, len(body)) > most:
                raise TooLargeError(f"more than {most / 1e6:g} MB; lm.limits.response_mb allows more")
        await stream.aclose()
        response.stream = type(response)(response.status_code, content=bytes(body)).stream

    return hook


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Returns a function that unpacks a block into at most so many bytes, and into none after the end of the packed data."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda block, most: block
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableError(f"the body is packed by {encoding[:20]}")
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes

    def unpack(block: bytes, most: int) -> bytes:
        if stream.eof:  # a further call would copy all bytes after the end into unused_data
            return b""
        try:
            return stream.decompress(block, most)
        except zlib.error as error:
            raise UnreadableError(str(error)) from error

    return unpack
