"""The language-model client: any endpoint of the OpenAI kind, as batched functions that never raise for a fault of its own.

    lm = LM(model="qwen2.5", base_url="http://127.0.0.1:8000/v1", cache="runs/lm.sqlite")
    lm(["Tell me a story."])                                      # list[str | None]
    lm.label_scores(["Is this sad? ...\\nAnswer yes or no."], ("yes", "no"))     # LabelScores
    lm.rating(["How good is it, from 1 to 9? ..."])               # [B], NaN where it failed

It is built once and handed on: one client, one cache, one budget, however many parts use it and from whatever thread.
B prompts, L labels.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from feedback.lm import request as requests
from feedback.lm.answer import Answer, Failure
from feedback.lm.budget import Budget, price
from feedback.lm.engine import loopback
from feedback.lm.labels import LabelScores
from feedback.lm.limits import Limits
from feedback.lm.probe import Traits
from feedback.lm.request import Prompt, Request
from feedback.lm.scoring import Scoring
from feedback.lm.session import Session

_MODES = ("readwrite", "replay", "record", "off")


class Server(Protocol):
    """An endpoint of our own, started with the first call that no cache answers."""

    @property
    def fingerprint(self) -> str:
        """What tells its model from others, e.g. the sha256 of its weights."""
        ...

    def start(self) -> str:
        """Starts it, or finds it started, and returns its base URL."""
        ...


@dataclass(frozen=True, eq=False)
class LM:
    model: str
    base_url: str = ""  # http(s)://HOST:PORT/v1
    server: Server | None = None  # instead of base_url
    key_variable: str = ""  # the NAME of the environment variable that holds the key; the key itself is kept nowhere
    mode: str = "readwrite"  # replay: the cache alone answers; record: ask anew and store; off: no cache
    cache: str = ""  # SQLite file of answers; "" keeps them in memory
    folder: str | None = None  # of the run: its ledger is kept there, and what was spent before a kill still counts
    prompt_version: str = "1"  # another one asks everything anew
    fingerprint: str = ""  # what tells the model from others; by default the server's, else address and model
    seed: int = 0  # of answers at temperatures above 0
    temperature: float = 0.8  # of texts; judges are asked at 0
    max_tokens: int = 256
    scoring: str = "auto"  # label, first or rating; auto: the best that the endpoint can do
    samples: int = 5  # of a rating in JSON, where there are no log-probabilities
    price: Mapping[str, float] | None = None  # {in: ..., out: ...} of a million tokens; an endpoint on this machine is free
    budget: Budget | Mapping[str, Any] = field(default_factory=Budget)
    limits: Limits | Mapping[str, Any] = field(default_factory=Limits)
    extra: Mapping[str, Any] = field(default_factory=dict)  # more to send with each call, e.g. {top_p: 0.95}
    traits: Traits | Mapping[str, Any] | None = None  # what the endpoint can do; None: it is asked at the start
    _session: Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_session", Session(self))
        for name, kind in (("budget", Budget), ("limits", Limits), ("traits", Traits)):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                object.__setattr__(self, name, _made(kind, value, f"lm.{name}"))
        _check(self)
        price(self.price, self.is_here, self.model)

    def __reduce__(self) -> Any:
        raise TypeError(
            "a language-model client is not copied, or it would have two budgets; hand on the one, calls are concurrent"
        )

    def __call__(
        self,
        prompts: Sequence[Prompt],
        *,
        role: str = "",
        sample: int | Sequence[int] = 0,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        temperature: float | None = None,
    ) -> list[str | None]:
        """Answers B prompts, None where a call failed for good.

        Args:
            role: who asks, for the report.
            sample: which of several answers to the same prompt, one number or [B].

        Raises:
            Spent: the budget has no room for all of them; what was answered is stored.
            ValueError: no endpoint is there, or a replay lacks an answer.
        """
        samples = [sample] * len(prompts) if isinstance(sample, int) else list(sample)
        options = self._options(max_tokens, stop, temperature)
        asked = [
            self.request("chat/completions", {"messages": requests.messages(prompt)} | options, role, number)
            for prompt, number in zip(prompts, samples, strict=True)
        ]
        return [found.text if isinstance(found, Answer) else None for found in self.ask(asked)]

    def complete(
        self,
        prompts: Sequence[str],
        *,
        role: str = "",
        sample: int | Sequence[int] = 0,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        temperature: float | None = None,
    ) -> list[str | None]:
        """Goes on with B raw texts; where the endpoint only chats, each is one user message. Else as the call itself."""
        if not self.known.completions:
            return self(prompts, role=role, sample=sample, max_tokens=max_tokens, stop=stop, temperature=temperature)
        samples = [sample] * len(prompts) if isinstance(sample, int) else list(sample)
        options = self._options(max_tokens, stop, temperature)
        asked = [
            self.request("completions", {"prompt": requests.clean(prompt)} | options, role, number)
            for prompt, number in zip(prompts, samples, strict=True)
        ]
        return [found.text if isinstance(found, Answer) else None for found in self.ask(asked)]

    def label_scores(self, prompts: Sequence[Prompt], labels: Sequence[str], *, role: str = "judge") -> LabelScores:
        """Says how likely each label is as the answer: probabilities [B, L] and mass [B], NaN where a call failed.

        Raises:
            ValueError: the labels are no choice, or this endpoint cannot tell them apart; else as the call itself.
        """
        return Scoring(self).labels(prompts, labels, role)

    def rating(self, prompts: Sequence[Prompt], low: int = 1, high: int = 9, *, role: str = "judge") -> np.ndarray:
        """Returns the expected rating [B] over the whole numbers low..high, NaN where it failed."""
        return Scoring(self).rating(prompts, low, high, role)

    def log_likelihoods(self, texts: Sequence[str], *, role: str = "likelihood") -> np.ndarray:
        """Returns the mean log-likelihood of a token of each text, in nats [B]; NaN where a call failed or a text is empty.

        Raises:
            ValueError: this endpoint does not say it (llama.cpp does not, vLLM does); else as the call itself.
        """
        return Scoring(self).likelihoods([requests.clean(text) for text in texts], role)

    def structured(self, prompts: Sequence[Prompt], schema: dict[str, Any], *, role: str = "", sample: int = 0) -> list[Any]:
        """Returns values that fit a JSON schema, None where even a second try did not."""
        return Scoring(self).structured(prompts, schema, role, sample, temperature=0.0)

    def report(self) -> list[dict[str, Any]]:
        """Returns a row for each role: calls, cached, failed, tokens, money, and what the cache saved."""
        return self._session.ledger.report()

    @property
    def lost(self) -> list[dict[str, Any]]:
        """The calls that were in flight when an earlier process of this run died; they are charged."""
        return self._session.ledger.lost

    def close(self) -> None:
        """Ends what was started, but not the server; asked again, it starts again."""
        self._session.close()

    @property
    def known(self) -> Traits:
        """What the endpoint can do: as set, as the cache remembers, or as it says now."""
        return self._session.known

    def ask(self, asked: Sequence[Request]) -> list[Answer | Failure]:
        """Answers requests from the cache and the endpoint, in their order, each question once."""
        return self._session.ask(asked)

    def request(self, path: str, body: dict[str, Any], role: str, sample: int, schema: dict[str, Any] | None = None) -> Request:
        """A request with all that is sent; above temperature 0 it has a seed of its own."""
        body = {"model": self.model} | body | dict(self.extra)
        if body.get("temperature", 0) > 0:
            body["seed"] = requests.number(self.seed, path, body, sample)
        return Request(path, body, role, sample, schema)

    def _options(self, max_tokens: int | None, stop: Sequence[str], temperature: float | None) -> dict[str, Any]:
        options: dict[str, Any] = {
            "max_tokens": self.max_tokens if max_tokens is None else max_tokens,
            "temperature": self.temperature if temperature is None else temperature,
        }
        return options | {"stop": [stop] if isinstance(stop, str) else list(stop)} if stop else options

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, so that nobody is paid."""
        return self.server is not None or loopback(self.base_url)

    @property
    def bounds(self) -> tuple[Budget, Limits]:
        """What may be spent, and how fast."""
        assert isinstance(self.budget, Budget) and isinstance(self.limits, Limits)  # made so above
        return self.budget, self.limits


def _check(lm: LM) -> None:
    if lm.mode not in _MODES:
        raise ValueError(f"there is no mode {lm.mode!r}; type lm.mode= one of {', '.join(_MODES)}")
    if lm.scoring not in ("auto", "label", "first", "rating"):
        raise ValueError(f"there is no scoring {lm.scoring!r}; type lm.scoring= one of auto, label, first, rating")
    if (lm.server is None) == (not lm.base_url):
        raise ValueError(
            "a language model has either a server or a base_url; type lm.base_url=http://HOST:PORT/v1, or lm=local"
        )
    if lm.base_url and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", lm.base_url):
        raise ValueError("lm.base_url is no plain address of an API; type lm.base_url=http://HOST:PORT/v1, without a key in it")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|", lm.key_variable):
        raise ValueError("lm.key_variable is no name of a variable; type the NAME, e.g. OPENAI_API_KEY, never the key itself")


def _made(kind: Any, settings: Mapping[str, Any], where: str) -> Any:
    known = list(kind.__dataclass_fields__)
    for name in settings:
        if name not in known:
            raise ValueError(f"there is no {where}.{name}; there is {', '.join(known)}")
    return kind(**settings)
