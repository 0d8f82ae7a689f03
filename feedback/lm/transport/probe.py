"""What an endpoint can do, found out by a handful of small calls at the start; it decides how labels are scored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from feedback.lm.transport.request import Request
from feedback.lm.transport.response import Answer, Failure
from qd.support.errors import UserError

Ask = Callable[[Request], Answer | Failure]
PROBE = "probe"  # the role of these calls in the report
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string", "enum": ["blue"]}}, "required": ["answer"],
           "additionalProperties": False}  # fmt: skip


@dataclass(frozen=True)
class Traits:
    logprobs: bool = False  # of the likeliest first tokens of an answer
    echo: bool = False  # log-probabilities of a prompt's own tokens: a whole label can be scored
    schema: str = ""  # json_schema, json_object, or "" for neither
    completions: bool = False  # raw text goes on; else there is only chat
    seed: str = ""  # repeats: the same seed gives the same text; taken: it does not; "" where it is refused

    @property
    def scoring(self) -> str:
        """The best way to score labels: label, first or rating."""
        return "label" if self.echo else "first" if self.logprobs else "rating"


def probe(ask: Ask, model: str, url: str, key_variable: str) -> Traits:
    """Asks. Raises ValueError where nobody answers as an endpoint must; says what to type."""

    def chat(content: str, **more: Any) -> Answer | Failure:
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 16, "temperature": 0.0}
        form = more.get("response_format", {}).get("json_schema", {}).get("schema")
        return ask(Request("chat/completions", body | more, PROBE, schema=form))

    plain = chat("Say yes.", max_tokens=1)
    if isinstance(plain, Failure):
        raise UserError(_why(plain, model, url, key_variable))
    logprobs = chat("Say yes.", max_tokens=1, logprobs=True, top_logprobs=20)
    named: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": _SCHEMA, "strict": True}}
    schema = "json_schema" if isinstance(chat("Is the sky red? Answer in JSON.", response_format=named), Answer) else ""
    if not schema and isinstance(chat("Answer in JSON.", response_format={"type": "json_object"}), Answer):
        schema = "json_object"
    raw = {"model": model, "prompt": "One, two, three,", "max_tokens": 1, "temperature": 0.0}
    completions = isinstance(ask(Request("completions", raw, PROBE)), Answer)
    echoed = ask(Request("completions", raw | {"echo": True, "logprobs": 1}, PROBE)) if completions else None
    texts = [chat("Name any animal.", temperature=1.0, seed=7) for _ in range(2)]
    return Traits(
        logprobs=isinstance(logprobs, Answer),
        echo=isinstance(echoed, Answer) and any(0 < at < len(raw["prompt"]) for at, _ in echoed.logprobs),
        schema=schema,
        completions=completions,
        seed=_seed(*texts),
    )


def _seed(one: Answer | Failure, again: Answer | Failure) -> str:
    if isinstance(one, Failure) or isinstance(again, Failure):
        return ""
    return "repeats" if one.text == again.text else "taken"


def _why(failed: Failure, model: str, url: str, key_variable: str) -> str:
    seen = f"{url} answered {failed.kind}" + (f" ({failed.said.strip()})" if failed.said.strip() else "")
    if failed.kind in ("401", "403"):
        key = f"the key in ${key_variable}" if key_variable else "a call without a key"
        return f"{seen}: it refuses {key}; type export {key_variable or 'YOUR_KEY'}=... and lm.key_variable=NAME"
    if failed.kind in ("404", "405", "html", "not an answer", "truncated"):
        return (
            f"{seen}, as no API of this kind does; type lm.base_url=http://HOST:PORT/v1, and a model that it serves ({model}?)"
        )
    if failed.kind in ("no connection", "cut", "timeout"):
        return f"{seen}: nobody answers there; start the server, or type lm.base_url=http://HOST:PORT/v1"
    return f"{seen} to a first short question; type another lm.model or lm.base_url, or try again later"
