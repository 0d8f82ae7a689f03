"""Why a call failed, and when to repeat it: exponential back-off with full jitter, Retry-After capped.

Repeated: 408, 409, 425, 429, 5xx, no connection, time-outs and unreadable bodies. Never: other 4xx, and a spent quota.
"""

import email.utils
import random
import time
from typing import TYPE_CHECKING, Any

from feedback.lm.transport.capped import TooLargeError
from feedback.lm.transport.response import Failure

if TYPE_CHECKING:
    import openai

_AGAIN = (408, 409, 425, 429)
_FIRST, _LONGEST = 0.5, 20.0  # seconds of back-off
_LONGEST_RETRY_AFTER = 60.0  # seconds of Retry-After that are honoured


def errors() -> tuple[type[Exception], ...]:
    """Returns what a call may raise: errors of the openai package, of the network, and of what cannot be read."""
    import openai

    return openai.OpenAIError, OSError, ValueError


def failure(error: Exception) -> Failure:
    """Returns the failure that one of ``errors`` stands for."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _status(error)
    for each in (error, error.__cause__):  # some versions of the package wrap it
        if isinstance(each, TooLargeError):
            return Failure("too large", str(each)[:80])
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Failure("timeout", again=True)
    if isinstance(error, openai.APIConnectionError):
        no_connection = "refused" in str(error.__cause__).lower() or "connect" in type(error.__cause__).__name__.lower()
        return Failure(
            "no connection" if no_connection else "cut", str(error.__cause__)[:80], again=True, may_cost=not no_connection
        )
    return Failure("cut", f"{type(error).__name__}: {error}"[:80], again=True)


def pause(failure: Failure, attempt: int) -> float:
    """Returns the seconds to wait: full jitter, no less than the endpoint's Retry-After, which is capped.

    Args:
        failure: of the last attempt.
        attempt: its number, 0, 1, ...
    """
    jitter = random.uniform(0, min(_LONGEST, _FIRST * 2**attempt))
    return jitter if failure.after is None else min(failure.after, _LONGEST_RETRY_AFTER) + jitter / 4


def _status(error: "openai.APIStatusError") -> Failure:
    code, body = error.status_code, error.body if isinstance(error.body, dict) else {}
    about = body.get("error") if isinstance(body.get("error"), dict) else body
    message = str(about.get("message", "") if about else error.body)[:300]  # type: ignore[union-attr]
    if about and "insufficient_quota" in (about.get("code"), about.get("type")):
        return Failure("quota spent", message, may_cost=False)
    again = code in _AGAIN or code >= 500
    return Failure(str(code), message, again, _retry_after(error.response.headers) if again else None, may_cost=code >= 500)


def _retry_after(headers: Any) -> float | None:
    """Returns the seconds of a Retry-After header: a number, or a date."""
    if "retry-after-ms" in headers:
        return _seconds(headers["retry-after-ms"], 1000)
    if "retry-after" not in headers:
        return None
    number = _seconds(headers["retry-after"], 1)
    if number is not None:
        return number
    try:
        date = email.utils.parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _seconds(text: str, unit: float) -> float | None:
    try:
        number = float(text) / unit
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
