"""What an endpoint says, read with suspicion: a whole and valid answer, or a failure with its kind."""

import json
from typing import Any, NamedTuple

from feedback.lm.transport import schema
from feedback.lm.transport.request import Request, clean


class Answer(NamedTuple):
    text: str
    logprobs: tuple[tuple[Any, float], ...] = ()  # chat: the likeliest first tokens; an echoed prompt: (offset, logprob)
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    finish: str = "stop"


class Failure(NamedTuple):
    kind: str  # in two or three words, counted by them
    said: str = ""  # what the endpoint said of it
    again: bool = False  # may it be asked once more?
    after: float | None = None  # seconds, where the endpoint says when
    charged: bool = True  # may it have cost something?
    used: tuple[int, int] | None = None  # tokens in and out, where the endpoint says what it did cost


def read(request: Request, text: str) -> Answer | Failure:
    """Reads the body of a response with status 200."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return Failure("html" if text.lstrip()[:1] == "<" else "truncated", text[:80], again=True)
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list):
        return Failure("not an answer", text[:80], again=True)
    if not choices or not isinstance(choices[0], dict):
        return Failure("no choices", again=True)
    try:
        found = _content(choices[0], request.path == "completions")
        used = _usage(body.get("usage"), request, found if isinstance(found, str) else "")
        logprobs = _logprobs(request, choices[0].get("logprobs"))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError):
        return Failure("malformed", text[:80])
    if isinstance(found, Failure):
        return found._replace(used=used)
    if request.schema is not None and (fault := schema.fault(found, request.schema)):
        return Failure("invalid", fault, used=used)
    if not logprobs and request.body.get("logprobs"):
        return Failure("no log-probabilities", "it was asked for them and gave none", used=used)
    return Answer(found, logprobs, *used, finish=clean(str(choices[0].get("finish_reason")))[:20])


def _content(choice: dict[str, Any], raw: bool) -> str | Failure:
    message = {} if raw else choice["message"]
    if message.get("refusal"):
        return Failure("refusal", str(message["refusal"])[:80])
    if choice.get("finish_reason") == "content_filter":
        return Failure("refusal", "content filter")
    content = choice["text"] if raw else message.get("content")
    return clean(content) if isinstance(content, str) else Failure("no content", again=True)


def _logprobs(request: Request, given: Any) -> tuple[tuple[Any, float], ...]:
    if not given or not request.body.get("logprobs"):
        return ()
    if request.path == "completions":
        pairs = zip(given["text_offset"], given["token_logprobs"], strict=True)
        return tuple((int(at), float(p)) for at, p in pairs if p is not None)
    return tuple((str(top["token"]), float(top["logprob"])) for top in given["content"][0]["top_logprobs"])


def _usage(given: Any, request: Request, content: str) -> tuple[int, int]:
    """What was billed; where it is not said, the most that it can have been."""
    if not given:
        return request.worst_in, min(request.worst_out, len(content.encode("utf-8", "replace")) + 1)
    return max(0, int(given["prompt_tokens"])), max(0, int(given.get("completion_tokens") or 0))
