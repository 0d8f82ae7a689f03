"""The language-model client: any endpoint of the OpenAI kind, as batched functions that never raise for a fault of its own.

    lm = LM(model="qwen2.5", base_url="http://127.0.0.1:8000/v1", cache="runs/lm.sqlite")
    lm(["Tell me a story."])                                      # list[str | None]
    lm.label_scores(["Is this sad? ...\\nAnswer yes or no."], ("yes", "no"))     # LabelScores
    lm.rating(["How good is it, from 1 to 9? ..."])               # [B], NaN where it failed

Build it once and pass it on: one client, one cache, one budget, for any number of components and threads.
B prompts, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feedback.lm.scoring.labels import LabelScores
from feedback.lm.scoring.scores import Scoring
from feedback.lm.session import Session
from feedback.lm.settings import ClientSettings, WarningServer
from feedback.lm.transport import pictures
from feedback.lm.transport.probe import Traits
from feedback.lm.transport.request import Prompt, clean, messages
from feedback.lm.transport.response import Reply


@dataclass(frozen=True, eq=False)
class LM(ClientSettings):
    """A client of one endpoint. Its settings are those of ``ClientSettings``."""

    _session: Session = field(init=False, repr=False)
    _scoring: Scoring = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_session", Session(self))
        object.__setattr__(self, "_scoring", Scoring(self._session))

    def __reduce__(self) -> Any:
        raise TypeError("a language-model client is not copied, or there would be two budgets; pass on the one that you have")

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
            prompts: B texts, or lists of messages.
            role: the component that calls, for the report.
            sample: which of several answers to the same prompt, one number or [B].
            max_tokens: of an answer, at most; None: as in the settings.
            stop: texts that end an answer.
            temperature: None: as in the settings.

        Returns:
            B answers.

        Raises:
            Spent: the budget has no room for all of them; the answers so far are stored.
            ValueError: no endpoint is there, or a replay lacks an answer.
        """
        bodies = [{"messages": messages(prompt)} for prompt in prompts]
        return self._texts("chat/completions", bodies, self._options(max_tokens, stop, temperature), role, sample)

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
        """Continues B raw texts; where the endpoint only chats, each is one user message.

        Args:
            prompts: B texts.
            role: as in the call itself, and so are the others.
            sample: which of several replies to the same prompt.
            max_tokens: of a reply, at most.
            stop: texts that end a reply.
            temperature: 0 for the most probable reply.

        Returns:
            B continuations, None where a call failed for good.

        Raises:
            Spent, ValueError: as the call itself.
        """
        if not self.endpoint_traits.completions:
            return self(prompts, role=role, sample=sample, max_tokens=max_tokens, stop=stop, temperature=temperature)
        bodies = [{"prompt": clean(prompt)} for prompt in prompts]
        return self._texts("completions", bodies, self._options(max_tokens, stop, temperature), role, sample)

    def label_scores(self, prompts: Sequence[Prompt], labels: Sequence[str], *, role: str = "judge") -> LabelScores:
        """Scores each label as the answer, by the best means of the endpoint (``Traits.scoring``).

        Arguments as in ``LanguageModel``.

        Returns:
            Probabilities [B, L] and mass [B], NaN where a call failed.

        Raises:
            ValueError: the labels are no choice, or this endpoint cannot tell them apart; else as the call itself.
        """
        return self._scoring.labels(prompts, labels, role)

    def rating(self, prompts: Sequence[Prompt], low: int = 1, high: int = 9, *, role: str = "judge") -> np.ndarray:
        """Rates on a scale, by the model's distribution over its numbers.

        Args:
            prompts: B questions that name the scale.
            low: the lowest rating, a whole number.
            high: the highest one.
            role: the component that calls, for the report.

        Returns:
            The expected rating [B], NaN where a call failed or the model prefers other words.
        """
        return self._scoring.rating(prompts, low, high, role)

    def log_likelihoods(self, texts: Sequence[str], *, role: str = "likelihood") -> np.ndarray:
        """Scores given texts.

        Args:
            texts: B texts.
            role: the component that calls, for the report.

        Returns:
            The mean log-likelihood of a token of each text, in nats [B]; NaN where a call failed or a text is empty.

        Raises:
            ValueError: this endpoint does not return it (llama.cpp does not, vLLM does); else as the call itself.
        """
        return self._scoring.likelihoods([clean(text) for text in texts], role)

    def generate_json(self, prompts: Sequence[Prompt], schema: dict[str, Any], *, role: str = "", sample: int = 0) -> list[Any]:
        """Generates values that fit a JSON schema, at temperature 0; a misfit is repeated once, with the schema in words.

        Args:
            prompts: B questions.
            schema: a JSON schema, e.g. {"type": "object", "properties": {"mood": {"enum": ["glad", "grim"]}}}.
            role: the component that calls, for the report.
            sample: which of several answers to the same prompt.

        Returns:
            B values, None where neither fits.
        """
        return self._scoring.generate_json(prompts, schema, role, sample, temperature=0.0)

    def images(self, prompts: Sequence[str], *, size: str = "256x256", role: str = "pictures") -> list[bytes | None]:
        """Asks for a picture of each prompt (OpenAI's images/generations), with the same cache, budget and bill as texts.

        An endpoint that states no tokens is billed 4,096 for each picture: set the price so that this is what one costs.

        Args:
            prompts: B texts.
            size: of the pictures, in pixels, as the endpoint has it.
            role: the component that calls, for the report.

        Returns:
            B files (png, jpeg or webp), None where a call failed for good.

        Raises:
            Spent, ValueError: as the call itself.
        """
        form = {} if self.model.startswith("gpt-image") else {"response_format": "b64_json"}  # those refuse the word
        bodies = [{"prompt": clean(prompt), "n": 1, "size": size} | form for prompt in prompts]
        batch = [self._session.request(pictures.PATH, body, role, 0) for body in bodies]
        return [pictures.decode(answer.text) if isinstance(answer, Reply) else None for answer in self._session.ask(batch)]

    def report(self) -> list[dict[str, Any]]:
        """Returns a row for each role: calls, cached, failed, tokens, money, and what the cache saved."""
        return self._session.ledger.report()

    @property
    def lost_calls(self) -> list[dict[str, Any]]:
        """Calls in flight when an earlier process of this run died; they are charged."""
        return self._session.ledger.lost_calls

    @property
    def warning(self) -> str:
        """What the reader of a run must know of its answers: its server's warning."""
        return self.server.warning if isinstance(self.server, WarningServer) else ""

    def close(self) -> None:
        """Ends threads and files, but not the server; the next call opens them again."""
        self._session.close()

    @property
    def endpoint_traits(self) -> Traits:
        """The endpoint's abilities: from the settings, the cache, or the endpoint itself."""
        return self._session.traits

    def _texts(
        self, path: str, bodies: list[dict[str, Any]], options: dict[str, Any], role: str, sample: int | Sequence[int]
    ) -> list[str | None]:
        samples = [sample] * len(bodies) if isinstance(sample, int) else sample
        batch = [
            self._session.request(path, body | options, role, number) for body, number in zip(bodies, samples, strict=True)
        ]
        return [answer.text if isinstance(answer, Reply) else None for answer in self._session.ask(batch)]

    def _options(self, max_tokens: int | None, stop: Sequence[str], temperature: float | None) -> dict[str, Any]:
        options: dict[str, Any] = {
            "max_tokens": self.max_tokens if max_tokens is None else max_tokens,
            "temperature": self.temperature if temperature is None else temperature,
        }
        return options | {"stop": [stop] if isinstance(stop, str) else list(stop)} if stop else options
