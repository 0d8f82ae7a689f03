"""The settings of a language-model client: the endpoint, its budget and limits, the storage of answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from feedback.lm.accounting.budget import Budget, price
from feedback.lm.accounting.limits import Limits
from feedback.lm.transport.probe import REASONING, Traits
from feedback.lm.transport.request import TOKEN_LIMITS
from qd.support.errors import UserError
from qd.support.spelling import unknown

_MODES = ("readwrite", "replay", "record", "off")
_SCORINGS = ("auto", "label", "first", "rating")


class Server(Protocol):
    """An endpoint of our own, started with the first call that no cache answers."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """More to send with each call."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies its model, e.g. by the sha256 of its weights."""
        ...

    def start(self) -> str:
        """Starts it where it does not run yet, and returns its base URL."""
        ...


@runtime_checkable
class WarningServer(Protocol):
    """A server with something that the reader of a run must know of its answers."""

    @property
    def warning(self) -> str:
        """One line."""
        ...


@dataclass(frozen=True, eq=False)
class ClientSettings:
    model: str
    base_url: str = ""  # http(s)://HOST:PORT/v1
    server: Server | None = None  # instead of base_url
    key_variable: str = ""  # the NAME of the environment variable that holds the key; the key itself is stored nowhere
    mode: str = "readwrite"  # replay: the cache alone answers; record: call again and store; off: no cache
    cache: str = ""  # SQLite file of answers; "": in memory
    folder: str | None = None  # of the run, for its ledger: spending before a kill still counts
    prompt_version: str = "1"  # another one repeats every call
    fingerprint: str = ""  # identifies the model in the cache; by default the server's, else address and model
    seed: int = 0  # of answers at temperatures above 0
    temperature: float = 0.8  # of texts; judgements use 0
    max_tokens: int = 256
    reasoning: str = "auto"  # where the model's thinking is: tags (in its text), apart, none (texts stay unchanged)
    reasoning_tokens: int = 2048  # room for it beside max_tokens, where the model thinks
    token_limit: str = "auto"  # the endpoint's name for max_tokens: max_tokens or max_completion_tokens
    scoring: str = "auto"  # label, first or rating; auto: the best that the endpoint can do
    samples: int = 5  # of a rating in JSON, where there are no log-probabilities
    price: Mapping[str, float] | None = None  # {in: ..., out: ...} of a million tokens; an endpoint on this machine is free
    budget: Budget | Mapping[str, Any] = field(default_factory=Budget)
    limits: Limits | Mapping[str, Any] = field(default_factory=Limits)
    extra: Mapping[str, Any] = field(default_factory=dict)  # more to send with each call, e.g. {top_p: 0.95}
    traits: Traits | Mapping[str, Any] | None = None  # the endpoint's abilities; None: found by a few calls at the start

    def __post_init__(self) -> None:
        for name, kind in (("budget", Budget), ("limits", Limits), ("traits", Traits)):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                object.__setattr__(self, name, _build_part(kind, value, f"lm.{name}"))
        _check(self)
        price(self.price, self.is_here, self.model)

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine and costs nothing."""
        return self.server is not None or is_loopback(self.base_url)

    @property
    def bounds(self) -> tuple[Budget, Limits]:
        """The budget and the limits."""
        assert isinstance(self.budget, Budget) and isinstance(self.limits, Limits)  # made so above
        return self.budget, self.limits


def is_loopback(url: str) -> bool:
    """Whether an address is this machine."""
    host = re.match(r"https?://(\[[^]]*\]|[^:/]*)", url)
    return bool(host and (host[1] in ("localhost", "[::1]") or host[1].startswith("127.")))


def _check(lm: ClientSettings) -> None:
    if lm.mode not in _MODES:
        raise unknown("lm.mode", lm.mode, _MODES)
    if lm.mode == "replay" and not lm.cache:
        raise UserError(
            "lm.mode=replay needs stored answers, and lm.cache is empty", "type lm.cache=FILE, or lm.mode=readwrite"
        )
    for name, choices in (("reasoning", REASONING), ("token_limit", TOKEN_LIMITS)):
        if getattr(lm, name) not in ("auto", *choices):
            raise unknown(f"lm.{name}", str(getattr(lm, name)), ("auto", *choices))
    if not isinstance(lm.reasoning_tokens, int) or lm.reasoning_tokens < 0:
        raise UserError(f"lm.reasoning_tokens={lm.reasoning_tokens!r} is no number of tokens", "type lm.reasoning_tokens=2048")
    if lm.scoring not in _SCORINGS:
        raise unknown("lm.scoring", lm.scoring, _SCORINGS)
    if (lm.server is None) == (not lm.base_url):
        raise UserError(
            "a language model has either a server or a base_url", "type lm.base_url=http://HOST:PORT/v1, or lm=local"
        )
    if lm.base_url and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", lm.base_url):
        raise UserError(
            "lm.base_url is no plain address of an API", "type lm.base_url=http://HOST:PORT/v1, without a key in it"
        )
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|", lm.key_variable):
        raise UserError("lm.key_variable is no name of a variable", "type the NAME, e.g. OPENAI_API_KEY, never the key itself")


def _build_part(kind: Any, settings: Mapping[str, Any], where: str) -> Any:
    names = list(kind.__dataclass_fields__)
    for name in settings:
        if name not in names:
            raise unknown("setting", f"{where}.{name}", [f"{where}.{each}" for each in names])
    return kind(**settings)
