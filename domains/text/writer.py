"""The writer: prompts that give a language model some texts to continue, and what is used of its reply.

    write = Writer(lm, "An opinion about bicycles", seeds=("They are quiet.", "They are slow.", "They are there."))
    write(key, [("They are quiet.", "They are slow.")])     # [1] a text after these two; "" where the model returned nothing

B texts.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.types import Array

_BETWEEN = "\n###\n"
_STOP = ("\n", "#")  # a text is one line, and may not begin another example
_FIRST, _TRIES = 5, 3  # texts of a zero-shot start; tries for each
_END = re.compile(r"[.!?][\"'”’)]*(?=\s|$)")


@dataclass(frozen=True)
class Writer:
    """Language-model crossover (LMX, Meyerson et al. 2023): a few texts in, one more of their kind out."""

    lm: Any = field(compare=False)  # the client: lm.complete(...) continues raw texts, lm(...) follows instructions
    topic: str  # what each text is, as it stands before a colon
    seeds: tuple[str, ...] = ()  # written by hand; none: the start is zero-shot, from the topic alone
    shots: int = 3  # examples in a prompt
    longest: int = 50  # tokens of a text
    temperature: float = 0.8

    def __post_init__(self) -> None:
        check_plain("the writer's topic", self.topic)
        for i, seed in enumerate(self.seeds):
            check_plain(f"the writer's seeds[{i}]", seed, "domain.writer.seeds=['They are quiet.',...], or seeds=[] for none")
        if 0 < len(self.seeds) < self.shots:
            raise UserError(
                f"{len(self.seeds)} seeds are fewer than the {self.shots} examples of a prompt",
                f"type {self.shots} or "
                "more, domain.writer.seeds=[] to begin from the topic alone, or a smaller domain.writer.shots=",
            )
        if min(self.shots, self.longest) < 1:
            raise UserError(f"shots={self.shots} and longest={self.longest} must be 1 or more", "type domain.writer.shots=3")

    def __call__(self, key: Array, shots: Sequence[Sequence[str]]) -> np.ndarray:
        """Writes a text after each list of texts.

        Args:
            key: which of the language model's samples are used.
            shots: B lists of texts.

        Returns:
            Texts, objects [B]; "" where the model returned nothing.
        """
        prompts = [_BETWEEN.join([*(f"{self.topic}: {text}" for text in texts), f"{self.topic}:"]) for texts in shots]
        replies = self.lm.complete(prompts, role="writer", sample=samples(key, len(prompts)), stop=_STOP, **self._options)
        return texts_of(replies)

    def begin(self, key: Array, n: int) -> np.ndarray:
        """Returns the pool, then texts written after random ones of it.

        Args:
            key: of the draws and of the writer.
            n: how many texts.

        Returns:
            Texts, objects [n].
        """
        pool_key, draw_key, write_key = keys.split(key, 3)
        pool = self.pool(pool_key)
        later = self(write_key, self.some(draw_key, pool, max(n - len(pool), 0))) if n > len(pool) else []
        return texts_of([*pool, *later][:n])

    def pool(self, key: Array) -> tuple[str, ...]:
        """Returns the seeds; without any, five texts that are written from the topic alone, in up to three tries.

        The paper lets a base model continue after the bare topic; models that follow instructions then write questions and
        lists.
        """
        if self.seeds:
            return self.seeds
        first: list[str] = []
        for try_key in keys.split(key, _TRIES):
            lacking = _FIRST - len(first)
            first += [text for text in self.write_to_wishes(try_key, [""] * lacking) if text] if lacking else []
        return tuple(first) or ("",)

    def some(self, key: Array, pool: Sequence[str], n: int) -> list[tuple[str, ...]]:
        """Draws lists of texts, without replacement where the pool is large enough.

        Args:
            key: of the draws.
            pool: the texts.
            n: how many lists.

        Returns:
            n lists of ``shots`` texts, or of as many as the pool has.
        """
        many = keys.split(key, n) if n else ()
        return [tuple(str(pool[i]) for i in draw_weighted(each, np.ones(len(pool)), self.shots)) for each in many]

    def after_some(self, key: Array, pool: Sequence[str], n: int) -> np.ndarray:
        """Writes texts, each after texts drawn from the pool.

        Args:
            key: of the draws and of the writer.
            pool: the texts.
            n: how many to write.

        Returns:
            Texts, objects [n]; "" where the model returned nothing.
        """
        draw_key, write_key = keys.split(key)
        return self(write_key, self.some(draw_key, pool, n))

    def rewrite(self, key: Array, texts: Sequence[str], wishes: Sequence[str]) -> np.ndarray:
        """Rewrites each text to fit a wish.

        Args:
            key: which of the language model's samples are used.
            texts: [B].
            wishes: what each shall be, in words, [B].

        Returns:
            Texts, objects [B]; "" where the model returned nothing.
        """
        prompts = [
            f"Here is {_lower(self.topic)}: {text}\n\nWrite it anew, as well as you can, so that it is {wish}. "
            "Answer with the new text alone, on one line."
            for text, wish in zip(texts, wishes, strict=True)
        ]
        return self._complete(key, prompts)

    def write_to_wishes(self, key: Array, wishes: Sequence[str]) -> np.ndarray:
        """Writes a text on the topic for each wish, without examples.

        Args:
            key: which of the language model's samples are used.
            wishes: what each shall be, in words, [B]; "" for no wish.

        Returns:
            Texts, objects [B]; "" where the model returned nothing.
        """
        instruction = f"Write {_lower(self.topic)}, one or two sentences on one line."
        endings = [f" It is {wish}." if wish else "" for wish in wishes]
        return self._complete(key, [f"{instruction}{wish} Answer with the text alone." for wish in endings])

    def _complete(self, key: Array, prompts: Sequence[str]) -> np.ndarray:
        return texts_of(self.lm(prompts, role="writer", sample=samples(key, len(prompts)), stop=("\n",), **self._options))

    @property
    def _options(self) -> dict[str, Any]:
        return {"max_tokens": self.longest, "temperature": self.temperature}


def texts_of(replies: Sequence[str | None]) -> np.ndarray:
    """Returns texts [B] as an array of objects: one line each, whole sentences where there is one, "" for nothing."""
    texts = np.empty(len(replies), dtype=object)
    texts[:] = [tidy(text or "") for text in replies]
    return texts


def tidy(text: str) -> str:
    """Returns the first line without an example's end in it, cut after its last whole sentence; else with a full stop."""
    line = next((line for line in text.strip().splitlines() if line.strip()), "").split("#")[0]
    line = " ".join(line.split()).strip('"“” ')
    if not re.search(r"\w", line):
        return ""
    ends = [match.end() for match in _END.finditer(line)]
    return line[: ends[-1]] if ends else f"{line.rstrip(',;:- ')}."


def samples(key: Array, n: int) -> list[int]:
    """Returns which answer to a prompt is wanted: its own for each draw of the run.

    Args:
        key: that the numbers follow from.
        n: how many.

    Returns:
        n whole numbers, 0 or more and below 2^30.
    """
    return [int(number) for number in keys.integers(key, (n,), 0, 1 << 30)]


def draw_weighted(key: Array, weights: np.ndarray, n: int) -> np.ndarray:
    """Draws up to n indices without replacement, the first in proportion to the weights and each later one among the rest.

    The n largest of log w + Gumbel noise are such a draw (Efraimidis and Spirakis 2006).

    Args:
        key: of the noise.
        weights: w, above 0, [N]; only their proportions count.
        n: how many.

    Returns:
        Indices in the order of the draw, [min(n, N)].
    """
    u = np.clip(keys.uniform(key, (len(weights),)).astype(float), 1e-12, 1 - 1e-7)
    return np.argsort(-(np.log(weights) - np.log(-np.log(u))), kind="stable")[:n]


def check_plain(what: str, text: str, instead: str = "domain.writer.topic='An opinion about bicycles'") -> None:
    """Checks that a text is plain words on one line, which do not break a prompt.

    Args:
        what: the text's name in the message.
        text: the text.
        instead: what the message shows as an example where the text is empty.

    Raises:
        ValueError: there is no text, or it holds control or format characters, line separators or "#", which
        ends an example.
    """
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{what} is empty", f"type it in words, e.g. {instead}")
    for at, char in enumerate(text):
        if unicodedata.category(char)[0] == "C" or char in "#\u2028\u2029":
            raise UserError(
                f"{what} has the character {char!r} (U+{ord(char):04X}) at {at}, which would break a prompt; "
                "type plain words on one line"
            )


def _lower(topic: str) -> str:
    return topic[:1].lower() + topic[1:]
