"""Answers with a picture: OpenAI's images/generations, read with suspicion. A reply's text is the picture in base64."""

import base64
import binascii
import json
from typing import Any

from feedback.lm.transport.request import Request
from feedback.lm.transport.response import Failure, Reply, read_usage

PATH = "images/generations"


def read(request: Request, text: str) -> Reply | Failure:
    """Reads the body of a response with status 200.

    Args:
        request: what was sent; it bounds what is billed where the endpoint does not state it.
        text: the body.

    Returns:
        The reply, with the picture in base64, or a failure.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return Failure("html" if text.lstrip()[:1] == "<" else "truncated", text[:80], again=True)
    used = _used(body.get("usage") if isinstance(body, dict) else None, request)
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        return Failure("not an answer", text[:80], again=True)
    picture = entries[0].get("b64_json")
    if not isinstance(picture, str) or decode(picture) is None:
        return Failure("no picture", "the first entry of data has no b64_json", used=used)
    return Reply(picture, (), *used, finish="stop")


def decode(text: str) -> bytes | None:
    """Returns the bytes of base64, None where it is none."""
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _used(usage: Any, request: Request) -> tuple[int, int]:
    """Tokens in and out; images have names of their own for them."""
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    known = {names.get(name, name): count for name, count in usage.items()} if isinstance(usage, dict) else None
    return read_usage(known, request, None)
