"""Log-probabilities of tokens in a response, and whether they can be what they say.

A chat gives the likeliest tokens of one position: together they have a probability above 0 and of at most 1. An echoed prompt
gives one number for each of its tokens, each a probability above 0, and a text of several tokens is never certain.
"""

import math
from collections.abc import Sequence
from typing import Any

from feedback.lm.transport.request import Request

Pairs = tuple[tuple[Any, float], ...]  # chat: (token, log-probability); an echoed prompt: (offset, log-probability)

_ROUNDING = 1e-3  # nats by which rounding may lift one log-probability above 0, or that of a whole position
_CERTAIN = 2  # tokens of a text: as many, each with probability 1, are the mark of a server that fills in zeros


def read_pairs(request: Request, block: Any) -> Pairs:
    """Returns the pairs of a response; none where the request wants none.

    Args:
        request: what was sent.
        block: the field logprobs of the first choice.

    Raises:
        KeyError, TypeError, IndexError, ValueError: it has another form.
    """
    if not block or not request.body.get("logprobs"):
        return ()
    if request.path == "completions":
        pairs = zip(block["text_offset"], block["token_logprobs"], strict=True)
        return tuple((int(at), _number(p)) for at, p in pairs if p is not None)
    return tuple((_text(top["token"]), _number(top["logprob"])) for top in block["content"][0]["top_logprobs"])


def find_fault(request: Request, pairs: Pairs) -> str:
    """Returns why the pairs cannot be log-probabilities; "" where they can, and where there are none.

    Args:
        request: what was sent.
        pairs: what the response has.
    """
    values = [p for _, p in pairs]
    if not all(p <= _ROUNDING for p in values):  # NaN too
        return "one of them is NaN or above 0"
    if not values:
        return ""
    return _fault_of_text(values) if request.path == "completions" else _fault_of_position(values)


def _fault_of_position(values: Sequence[float]) -> str:
    total = math.fsum(map(math.exp, values))
    if total == 0:
        return "the likeliest tokens have the probability 0"
    return f"the likeliest tokens have the probability {total:.4g} together" if total > math.exp(_ROUNDING) else ""


def _fault_of_text(values: Sequence[float]) -> str:
    if min(values) == -math.inf:
        return "a token of the text has the probability 0"
    if len(values) >= _CERTAIN and not any(values):
        return "each token of the text has the probability 1"
    return ""


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no log-probability")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no token")
    return value
