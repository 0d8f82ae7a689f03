"""Labels, ratings and structured answers by the best means that an endpoint has.

B prompts, L labels, k samples.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from feedback.lm.scoring.labels import (
    LEAST_MASS,
    LabelScores,
    by_first_token,
    by_likelihood,
    by_ratings,
    check_first,
    check_labels,
)
from feedback.lm.session import Session
from feedback.lm.transport.request import Prompt, Request
from feedback.lm.transport.request import messages as as_messages
from feedback.lm.transport.response import Reply
from feedback.lm.transport.schema import check_schema, instruction, read, strict
from qd.support.errors import UserError

_TOP = 20  # tokens: the most that endpoints give


class Scoring:
    def __init__(self, session: Session) -> None:
        self.session = session

    def labels(self, prompts: Sequence[Prompt], labels: Sequence[str], role: str) -> LabelScores:
        """Scores labels; see ``LM.label_scores``.

        Args:
            prompts: B questions.
            labels: L answers.
            role: the component that calls.
        """
        labels = check_labels(labels)
        how = self._how()
        if how == "label":
            return self._by_likelihood(prompts, labels, role)
        if how == "first":
            return self._by_first_token(prompts, labels, role)
        return self._by_ratings(prompts, labels, role)

    def rating(self, prompts: Sequence[Prompt], low: int, high: int, role: str) -> np.ndarray:
        """Rates; see ``LM.rating``.

        Args:
            prompts: B questions.
            low: the lowest rating, a whole number.
            high: the highest one.
            role: the component that calls.
        """
        if not low < high:
            raise UserError(f"a rating from {low} to {high} is no scale", "type low=1, high=9")
        if self._how() == "rating":
            return self._rate_in_json(prompts, low, high, role)
        if self._how() == "first" and not 0 <= low < high <= 9:
            raise UserError(f"a rating from {low} to {high} is not one token a number", "type low=1, high=9")
        scale = range(low, high + 1)
        scores = self.labels(prompts, [str(number) for number in scale], role)
        mean = scores.probabilities @ np.array(scale, float)  # [B]
        return np.where(scores.mass < LEAST_MASS, np.nan, mean)

    def generate_json(
        self, prompts: Sequence[Prompt], schema: dict[str, Any], role: str, sample: int, temperature: float
    ) -> list[Any]:
        """Generates JSON, and repeats with the schema in words what did not fit; see ``LM.generate_json``.

        Args:
            prompts: B questions.
            schema: a JSON schema.
            role: the component that calls.
            sample: which of several answers.
            temperature: of the model.
        """
        check_schema(schema)
        conversations = [as_messages(prompt) for prompt in prompts]
        values = self._in_json(conversations, schema, role, sample, temperature)
        again = [i for i, value in enumerate(values) if value is None and any(m["content"].strip() for m in conversations[i])]
        if again:
            plainer = [[*conversations[i], {"role": "user", "content": instruction(schema)}] for i in again]
            for i, value in zip(again, self._in_json(plainer, schema, role, sample, temperature), strict=True):
                values[i] = value
        return values

    def likelihoods(self, texts: Sequence[str], role: str) -> np.ndarray:
        """Scores texts; see ``LM.log_likelihoods``.

        Args:
            texts: B texts.
            role: the component that calls.
        """
        if not self.session.traits.echo:
            raise UserError(
                "this endpoint does not say how likely a given text is (it cannot echo a prompt's log-probabilities); "
                "type lm=vllm, or another that can"
            )
        full = [i for i, text in enumerate(texts) if text.strip()]
        options = {"max_tokens": 1, "temperature": 0.0, "logprobs": 1, "echo": True}
        replies = self.session.ask([self.session.request("completions", {"prompt": texts[i]} | options, role, 0) for i in full])
        out = np.full(len(texts), np.nan)
        for i, each in zip(full, replies, strict=True):
            pairs = each.logprobs if isinstance(each, Reply) else ()
            mine = [p for at, p in pairs if at < len(texts[i])]  # the one token that the model adds is not part of the text
            out[i] = np.mean(mine) if mine else np.nan
        return out

    def _how(self) -> str:
        method, traits = self.session.settings.scoring, self.session.traits
        able = {"auto": True, "label": traits.echo, "first": traits.logprobs, "rating": True}
        if not able[method]:
            raise UserError(
                f"lm.scoring={method} needs log-probabilities, which this endpoint does not give",
                "type lm.scoring=auto, which then rates in JSON",
            )
        return traits.scoring if method == "auto" else method

    def _by_first_token(self, prompts: Sequence[Prompt], labels: tuple[str, ...], role: str) -> LabelScores:
        check_first(labels)
        options = {"max_tokens": 1, "temperature": 0.0, "logprobs": True, "top_logprobs": _TOP}
        replies = self.session.ask([self._chat(as_messages(prompt), options, role) for prompt in prompts])
        return _scores([by_first_token(each.logprobs, labels) if isinstance(each, Reply) else None for each in replies], labels)

    def _by_likelihood(self, prompts: Sequence[Prompt], labels: tuple[str, ...], role: str) -> LabelScores:
        openings = ["\n".join(m["content"] for m in as_messages(prompt)).rstrip() for prompt in prompts]
        options = {"max_tokens": 1, "temperature": 0.0, "logprobs": 1, "echo": True}
        batch = [
            self.session.request("completions", {"prompt": f"{text} {label}" if text else ""} | options, role, 0)
            for text in openings
            for label in labels
        ]
        replies, rows = self.session.ask(batch), []
        for i, text in enumerate(openings):
            mine = slice(i * len(labels), (i + 1) * len(labels))
            pairs = [each.logprobs for each in replies[mine] if isinstance(each, Reply)]
            is_whole = len(pairs) == len(labels)
            rows.append(by_likelihood(pairs, len(text), labels) if is_whole else None)
            if is_whole and rows[-1] is None:
                self.session.note_failures(batch[mine], "bad log-probabilities")
        return _scores(rows, labels)

    def _by_ratings(self, prompts: Sequence[Prompt], labels: tuple[str, ...], role: str) -> LabelScores:
        """Without log-probabilities: each label is rated in JSON, by k samples."""
        names = {f"label_{i}": label for i, label in enumerate(labels)}
        schema = {"type": "object", "properties": {n: {"type": "integer", "minimum": 1, "maximum": 9} for n in names}}
        legend = "; ".join(f"{name}: {label!r}" for name, label in names.items())
        asking = f"Do not answer in words. Rate from 1 (no) to 9 (surely) how well each label answers. {legend}."
        samples = self._sample_json(prompts, schema, asking, role)
        ratings = [[[row[name] - 1 + 1e-6 for name in names] for row in rows] for rows in samples]
        mass = [len(rows) / self.session.settings.samples for rows in samples]
        return _scores([(by_ratings(r), m) if r else None for r, m in zip(ratings, mass, strict=True)], labels)

    def _rate_in_json(self, prompts: Sequence[Prompt], low: int, high: int, role: str) -> np.ndarray:
        schema = {"type": "object", "properties": {"rating": {"type": "integer", "minimum": low, "maximum": high}}}
        samples = self._sample_json(prompts, schema, f"Answer with a whole number from {low} to {high}.", role)
        return np.array([np.mean([row["rating"] for row in rows]) if rows else np.nan for rows in samples])

    def _sample_json(self, prompts: Sequence[Prompt], schema: dict[str, Any], asking: str, role: str) -> list[list[Any]]:
        """Returns the valid ones of k samples for each prompt."""
        conversations = [[*as_messages(prompt), {"role": "user", "content": asking}] if prompt else [] for prompt in prompts]
        draws = [
            self.generate_json(conversations, schema, role, sample, temperature=1.0)
            for sample in range(self.session.settings.samples)
        ]
        return [[value for value in row if value is not None] for row in zip(*draws, strict=True)]

    def _in_json(
        self, conversations: list[list[dict[str, str]]], schema: dict[str, Any], role: str, sample: int, temperature: float
    ) -> list[Any]:
        schema = strict(schema)
        options: dict[str, Any] = {"max_tokens": self.session.settings.max_tokens, "temperature": temperature}
        if self.session.traits.schema == "json_schema":
            form = {"name": "answer", "schema": schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        else:
            more = {"role": "user", "content": instruction(schema)}
            conversations = [[*messages, more] if messages else [] for messages in conversations]
            options |= {"response_format": {"type": "json_object"}} if self.session.traits.schema else {}
        replies = self.session.ask([self._chat(messages, options, role, sample, schema) for messages in conversations])
        return [read(each.text) if isinstance(each, Reply) else None for each in replies]

    def _chat(
        self, messages: list[dict[str, str]], options: dict[str, Any], role: str, sample: int = 0, schema: Any = None
    ) -> Request:
        return self.session.request("chat/completions", {"messages": messages} | options, role, sample, schema)


def _scores(rows: list[tuple[np.ndarray, float] | None], labels: tuple[str, ...]) -> LabelScores:
    blank = np.full(len(labels), np.nan), np.nan
    complete = [row if row is not None else blank for row in rows]
    return LabelScores(
        np.array([row[0] for row in complete]).reshape(len(rows), len(labels)), np.array([row[1] for row in complete], float)
    )
