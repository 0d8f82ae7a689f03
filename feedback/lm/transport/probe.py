"""The abilities of an endpoint, found by a few small calls at the start; they decide how labels are scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from feedback.lm.transport.request import PROBE, TOKEN_LIMITS, Request
from feedback.lm.transport.response import Failure, Reply
from qd.support.errors import UserError
from qd.support.spelling import unknown

Ask = Callable[[Request], Reply | Failure]
REASONING = ("none", "tags", "apart")  # where a model's thinking stands: nowhere, in its text between tags, or elsewhere
_ROOM = 256  # tokens in which a model that thinks before it says yes shows that it does
_SCHEMA = {"type": "object", "properties": {"answer": {"type": "string", "enum": ["blue"]}}, "required": ["answer"],
           "additionalProperties": False}  # fmt: skip


@dataclass(frozen=True)
class Traits:
    logprobs: bool = False  # of the likeliest first tokens of an answer
    echo: bool = False  # log-probabilities of a prompt's own tokens: a whole label can be scored
    schema: str = ""  # json_schema, json_object, or "" for neither
    completions: bool = False  # raw text goes on; else there is only chat
    seed: str = ""  # repeats: the same seed gives the same text; taken: it does not; "" where it is refused
    reasoning: str = "none"  # one of REASONING
    token_limit: str = "max_tokens"  # the name of the limit on an answer's tokens, one of TOKEN_LIMITS
    refuses: tuple[str, ...] = ()  # settings of a call that it refuses, e.g. temperature
    cache_prompt: bool = False  # it is llama.cpp's server: without cache_prompt=false answers depend on earlier prompts

    def __post_init__(self) -> None:
        object.__setattr__(self, "refuses", tuple(self.refuses))
        if self.reasoning not in REASONING:
            raise unknown("lm.traits.reasoning", self.reasoning, REASONING)
        if self.token_limit not in TOKEN_LIMITS:
            raise unknown("lm.traits.token_limit", self.token_limit, TOKEN_LIMITS)

    @property
    def scoring(self) -> str:
        """The best way to score labels: label, first or rating."""
        return "label" if self.echo else "first" if self.logprobs else "rating"

    def adapt(self, request: Request, reasoning_tokens: int) -> Request:
        """Returns a request in the form that this endpoint accepts; its key stays that of the original.

        Args:
            request: in the general form.
            reasoning_tokens: room for thinking beside the answer, where the model thinks.
        """
        body = {name: value for name, value in request.body.items() if value is not None and name not in self.refuses}
        if not self.seed:
            body.pop("seed", None)
        if request.path == "chat/completions" and (limits := [name for name in TOKEN_LIMITS if name in body]):
            most = [body.pop(name) for name in limits][-1]  # of two names the newer one, which lm.extra has added
            name = limits[-1] if limits[-1] != "max_tokens" else self.token_limit
            body[name] = most + (0 if self.reasoning == "none" else reasoning_tokens)
        if self.cache_prompt:
            body.setdefault("cache_prompt", False)
        tags = request.reasoning == "auto" and self.reasoning == "tags"
        return request._replace(body=body, reasoning="tags" if tags else request.reasoning)


def probe(ask: Ask, model: str, url: str, key_variable: str, start: Traits, more: Mapping[str, Any]) -> Traits:
    """Finds the abilities of an endpoint.

    Args:
        ask: sends one request.
        model: its name, as the endpoint knows it.
        url: its address, for messages.
        key_variable: the name of the variable that holds the key, for messages.
        start: traits that are set by hand.
        more: settings of every call (lm.extra).

    Raises:
        UserError: no endpoint of this kind answers there.
    """
    manners = probe_manners(ask, model, url, key_variable, start, more)
    with_seed = replace(manners, seed="taken")

    def chat(content: str, room: int = 16, **options: Any) -> Reply | Failure:
        body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": room, "temperature": 0.0}
        form = options.get("response_format", {}).get("json_schema", {}).get("schema")
        request = Request("chat/completions", {**body, **more, **options}, PROBE, schema=form)
        return ask(with_seed.adapt(request, _ROOM))

    # the first token of a model that thinks is none of its answer's
    first = manners.reasoning == "none" and isinstance(chat("Say yes.", room=1, logprobs=True, top_logprobs=20), Reply)
    form: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": _SCHEMA, "strict": True}}
    schema = "json_schema" if isinstance(chat("Is the sky red? Answer in JSON.", response_format=form), Reply) else ""
    if not schema and isinstance(chat("Answer in JSON.", response_format={"type": "json_object"}), Reply):
        schema = "json_object"
    raw = {"model": model, "prompt": "One, two, three,", "max_tokens": 1, "temperature": 0.0}
    completions = isinstance(ask(Request("completions", raw, PROBE, reasoning="none")), Reply)
    echo = ask(Request("completions", raw | {"echo": True, "logprobs": 1}, PROBE)) if completions else None
    texts = [chat("Name any animal.", temperature=1.0, seed=7) for _ in range(2)]
    return replace(
        manners,
        logprobs=first,
        echo=isinstance(echo, Reply) and any(0 < at < len(raw["prompt"]) for at, _ in echo.logprobs),
        schema=schema,
        completions=completions,
        seed=_seed(*texts),
    )


def probe_manners(ask: Ask, model: str, url: str, key_variable: str, start: Traits, more: Mapping[str, Any]) -> Traits:
    """Finds how calls must be sent and read: token_limit, refuses, reasoning, cache_prompt. The rest is as at the start.

    It takes one call, and one more for each setting that the endpoint refuses.

    Args:
        ask, model, url, key_variable, start, more: as in ``probe``.

    Raises:
        UserError: as ``probe``.
    """
    traits = start
    messages = [{"role": "user", "content": "Say yes."}]
    request = Request(
        "chat/completions",
        {"model": model, "messages": messages, "max_tokens": _ROOM, "temperature": 0.0} | dict(more),
        PROBE,
    )
    while isinstance(result := ask(traits.adapt(request, 0)), Failure) and result.kind != "reasoning cut":
        better = _yield_to(traits, result)
        if better == traits:
            raise UserError(_why(result, model, url, key_variable))
        traits = better
    return replace(traits, reasoning=result.reasoning or "none", cache_prompt=result.llama_cpp)


def _yield_to(traits: Traits, failure: Failure) -> Traits:
    """Returns the traits without what an endpoint's error names: the limit's name, or the temperature."""
    if failure.kind not in ("400", "422"):
        return traits
    if "max_completion_tokens" in failure.message and traits.token_limit == "max_tokens":
        return replace(traits, token_limit="max_completion_tokens")
    if "temperature" in failure.message and "temperature" not in traits.refuses:
        return replace(traits, refuses=(*traits.refuses, "temperature"))
    return traits


def _seed(one: Reply | Failure, again: Reply | Failure) -> str:
    if isinstance(one, Failure) or isinstance(again, Failure):
        return ""
    return "repeats" if one.text == again.text else "taken"


def _why(failure: Failure, model: str, url: str, key_variable: str) -> str:
    prefix = f"{url} answered {failure.kind}" + (f" ({failure.message.strip()})" if failure.message.strip() else "")
    if failure.kind in ("401", "403"):
        key = f"the key in ${key_variable}" if key_variable else "a call without a key"
        return f"{prefix}: it refuses {key}; type export {key_variable or 'YOUR_KEY'}=... and lm.key_variable=NAME"
    if failure.kind in ("404", "405", "html", "not an answer", "truncated"):
        return (
            f"{prefix}, as no API of this kind does; type lm.base_url=http://HOST:PORT/v1, and a model that it serves "
            f"({model}?)"
        )
    if failure.kind in ("no connection", "cut", "timeout"):
        return f"{prefix}: no server answers there; start it, or type lm.base_url=http://HOST:PORT/v1"
    return f"{prefix} to a first short question; type another lm.model or lm.base_url, or try again later"
