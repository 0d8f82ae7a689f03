"""The body of a response, read with suspicion: a whole and valid reply, or a failure with its kind."""

import json
import math
from typing import Any, NamedTuple

from feedback.lm.transport import schema
from feedback.lm.transport.logprobs import Pairs, find_fault, read_pairs
from feedback.lm.transport.request import PROBE, Request, clean
from feedback.lm.transport.thinking import without_thinking

_MOST_TOKENS = 100_000_000  # of one call, in or out: no context is as long, and a larger count is an error of the endpoint
_MOST_DIGITS = 640  # of an integer: int() refuses more where Python is so set (sys.int_info.str_digits_check_threshold)


class Reply(NamedTuple):
    text: str
    logprobs: Pairs = ()  # chat: the likeliest first tokens; an echoed prompt: its own
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    finish: str = "stop"
    reasoning: str = ""  # tags: the model's thinking stood in its text; apart: elsewhere; "" for none
    llama_cpp: bool = False  # the response has the timings that only llama.cpp's server adds


class Failure(NamedTuple):
    kind: str  # in two or three words, counted by them
    message: str = ""  # of the endpoint
    again: bool = False  # may the call be repeated?
    after: float | None = None  # seconds, where the endpoint says when
    may_cost: bool = True  # whether the endpoint may bill it
    used: tuple[int, int] | None = None  # tokens in and out, where the endpoint states them
    reasoning: str = ""  # as in a reply
    llama_cpp: bool = False  # as in a reply


def read(request: Request, text: str) -> Reply | Failure:
    """Reads the body of a response with status 200.

    Args:
        request: what was sent; says which fields the body must have, and how thinking is treated.
        text: the body.

    Returns:
        The reply, or a failure with the tokens that were billed, where the body has them.
    """
    try:
        body = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return Failure("html" if text.lstrip()[:1] == "<" else "truncated", text[:80], again=True)
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list):
        return Failure("not an answer", text[:80], again=True)
    if not choices or not isinstance(choices[0], dict):
        return Failure("no choices", again=True)
    try:
        content, reasoning = _content(choices[0], request, body.get("usage"))
        visible = content if isinstance(content, str) else ""
        used = read_usage(body.get("usage"), request, None if reasoning else visible)
        pairs = read_pairs(request, choices[0].get("logprobs"))
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, OverflowError):
        return Failure("malformed", text[:80])
    if isinstance(content, Failure):
        return content._replace(used=used, reasoning=reasoning, llama_cpp=_is_llama_cpp(body))
    if request.schema is not None and (fault := schema.fault(content, request.schema)):
        return Failure("invalid", fault, used=used)
    if not pairs and request.body.get("logprobs"):
        return Failure("no log-probabilities", "the request has logprobs, the response has none", used=used)
    if fault := find_fault(request, pairs):
        return Failure("bad log-probabilities", fault, used=used)
    finish = clean(str(choices[0].get("finish_reason")))[:20]
    return Reply(content, pairs, *used, finish=finish, reasoning=reasoning, llama_cpp=_is_llama_cpp(body))


def _content(choice: dict[str, Any], request: Request, usage: Any) -> tuple[str | Failure, str]:
    """Returns the text, or why there is none, and where the model's thinking stood."""
    if request.path == "completions":
        return _raw_text(choice, request)
    message = choice["message"]
    if message.get("refusal"):
        return Failure("refusal", str(message["refusal"])[:80]), ""
    if choice.get("finish_reason") == "content_filter":
        return Failure("refusal", "content filter"), ""
    content, apart = message.get("content"), _thinks_apart(message, usage)
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    is_cut = choice.get("finish_reason") == "length"
    if not content and is_cut and (apart or content is None):
        return _cut(), "apart"
    if not isinstance(content, str):
        return Failure("no content", again=True), ""
    content = clean(content)  # first: a control character hides no tag
    rest = _without_thinking(content, request, is_cut)
    if rest is None or (is_cut and (rest == content if request.reasoning == "tags" else not rest and bool(content))):
        return _cut(), "tags"
    return rest, "tags" if rest != content else "apart" if apart else ""


def _raw_text(choice: dict[str, Any], request: Request) -> tuple[str | Failure, str]:
    """Returns the same for a completion; of an echoed prompt nothing is cut off."""
    text = choice["text"]
    if not isinstance(text, str):
        return Failure("no content", again=True), ""
    text = clean(text)
    rest = text if request.body.get("echo") else _without_thinking(text, request, choice.get("finish_reason") == "length")
    return (_cut(), "tags") if rest is None else (rest, "tags" if rest != text else "")


def _without_thinking(text: str, request: Request, is_cut: bool) -> str | None:
    """Returns the answer in a text; the probe's first question has no answer with a closing tag in it."""
    is_opened = request.reasoning == "tags" or request.role == PROBE
    return text if request.reasoning == "none" else without_thinking(text, is_opened, is_cut)


def _cut() -> Failure:
    return Failure("reasoning cut", "the model was still thinking; type a larger lm.reasoning_tokens")


def _thinks_apart(message: dict[str, Any], usage: Any) -> bool:
    """Whether a message has thinking beside its content, or is billed for some."""
    if any(message.get(name) for name in ("reasoning_content", "reasoning", "thinking")):
        return True
    if isinstance(message.get("content"), list):
        return any(part.get("type") in ("thinking", "reasoning") for part in message["content"])
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    return isinstance(details, dict) and bool(details.get("reasoning_tokens"))


def read_usage(usage: Any, request: Request, text: str | None) -> tuple[int, int]:
    """Reads the tokens that were billed; where they are not stated, or absurd, the most that they can have been.

    Args:
        usage: of the body: prompt_tokens, completion_tokens, total_tokens; anything else is worth nothing.
        request: what was sent.
        text: all that the model wrote; None where part of it is hidden.

    Returns:
        Tokens in and out.
    """
    most = request.worst_out if text is None else len(text.encode("utf-8", "replace")) + 1
    worst = request.worst_in, min(request.worst_out, most)
    if not isinstance(usage, dict):
        return worst
    stated = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if not all(count is None or _is_count(count) for count in stated):
        return worst
    tokens_in, tokens_out = (int(at_worst if count is None else count) for count, at_worst in zip(stated, worst, strict=True))
    total = usage.get("total_tokens")
    if stated[0] is not None and stated[1] is None and total is not None and _is_count(total) and total > tokens_in:
        tokens_out = int(total) - tokens_in
    return tokens_in, tokens_out


def _is_count(value: Any) -> bool:
    """Whether it is a number of tokens that a call can have: no NaN, no text, no truth value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= _MOST_TOKENS and value == int(value)


def _integer(digits: str) -> int | float:
    """Returns an integer of a body; one with so many digits that int() refuses them is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _is_llama_cpp(body: dict[str, Any]) -> bool:
    timings = body.get("timings")
    return isinstance(timings, dict) and "prompt_n" in timings
