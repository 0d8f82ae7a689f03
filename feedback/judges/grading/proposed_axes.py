"""Axes that a language model proposes itself, each tried before it is used.

    grade = Proposed(judge_lm, writer=lm, topic="An opinion about bicycles", quality="The text is about bicycles.", more=2)
    grade(["They are slow."])     # [[quality, axis 1, axis 2]]

The writer names pairs of opposite words; for each it writes texts of both ends, and the judge, who does not know which is
which, must tell them apart. What was proposed, tried and taken is shown, and kept in the run's folder: a run that goes on
reads it from there. B texts, M axes.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from feedback.judges.calibration import auc, logit
from feedback.judges.grading.in_words import InWords
from feedback.judges.grading.language import Labels
from feedback.judges.protocols import LanguageModel
from qd.support import atomic, run_files
from qd.support.errors import UserError
from qd.support.separation import LEAST

FILE = f"{run_files.LM}/axes.json"  # in the run's folder
_END = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+){0,2}")  # one to three words
_NO_KIND = {
    *("good", "bad", "better", "worse", "great", "poor", "clear", "unclear", "short", "long", "brief", "positive", "negative"),
    *("boring", "interesting", "predictable"),
}
_SHOWN = """Topic: A song about the sea
Opposite kinds: tender - angry, solemn - playful, old - modern, lonely - crowded, slow - fast
Topic: A letter to a friend
Opposite kinds: grateful - bitter, formal - intimate, homesick - adventurous, gossipy - thoughtful, secret - open
Topic: {topic}
Opposite kinds:"""  # small models go on with a list like that; asked for JSON they say good and bad, short and long
_ASKED = 4  # lists, at most


class Writes(Protocol):
    """What is asked of the client that proposes."""

    def __call__(self, prompts: Sequence[str], **options: Any) -> list[str | None]: ...
    def complete(self, prompts: Sequence[str], **options: Any) -> list[str | None]: ...


class Tried(NamedTuple):
    """An axis that was proposed, and how well the judge told texts of its ends apart."""

    low: str
    high: str
    auc: float
    gap: float  # between the mean logits of both ends
    taken: bool = False

    @property
    def question(self) -> str:
        return f"Is the text {self.low} or {self.high}?"


@dataclass(frozen=True)
class Proposed:
    """Judges quality, the axes named by hand, then ``more`` axes that the writer proposes at the first text judged."""

    lm: LanguageModel  # the judge
    writer: Writes = field(compare=False)
    topic: str
    quality: str | tuple[str, ...]  # as InWords has it
    axes: tuple[tuple[str, ...], ...] = ()
    more: int = 2
    tries: int = 3  # texts written for each end
    folder: str | None = None  # of the run
    orders: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.more < 1 or self.tries < 1:
            raise UserError(f"more={self.more} and tries={self.tries} must be 1 or more", "type grade.more=2")

    def __call__(self, items: Sequence[str]) -> np.ndarray:
        """Returns [B, 1 + M]; NaN where the model gave no answer. Raises ValueError where too few axes can be judged."""
        return self._judge(items)

    @cached_property
    def _judge(self) -> InWords:
        kept = None if self.folder is None else Path(self.folder, FILE)
        found = _read(kept, self.topic) if kept is not None and kept.exists() else self._found(kept)
        named = tuple((axis.question, axis.low, axis.high) for axis in found if axis.taken)
        return InWords(self.lm, self.quality, (*self.axes, *named), orders=self.orders, seed=self.seed)

    def _found(self, kept: Path | None) -> list[Tried]:
        """Asks for axes, tries them, says and keeps what came of it."""
        tried = [self._tried(low, high) for low, high in self._pairs()]
        order = sorted(range(len(tried)), key=lambda i: (-tried[i].auc, -tried[i].gap))
        good = [i for i in order if tried[i].auc >= LEAST][: self.more]
        found = [axis._replace(taken=i in good) for i, axis in enumerate(tried)]
        _show(found)
        if len(good) < self.more:
            raise UserError(
                f"of {len(tried)} axes that the model proposed the judge can tell the ends of {len(good)} apart, and "
                f"{self.more} are wanted",
                f"type {f'grade.more={len(good)}, ' if good else ''}lm=... for a stronger model, or "
                "name axes yourself: domain=text grade.axes=[[QUESTION,LOW,HIGH]]",
            )
        if kept is not None:
            atomic.make_folder(kept.parent)
            told = {"topic": self.topic, "axes": [axis._asdict() for axis in found]}
            atomic.write(kept, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
        return found

    def _pairs(self) -> list[tuple[str, str]]:
        """Returns pairs of words that no other pair or axis names, and that do not say how good or how long a text is."""
        options = {"role": "proposer", "max_tokens": 60, "stop": ("\n",), "temperature": 0.8}
        used = {_plain(word) for axis in self.axes for word in axis[1:]} | _NO_KIND
        pairs: list[tuple[str, str]] = []
        for sample in range(_ASKED):
            (said,) = self.writer.complete([_SHOWN.format(topic=self.topic)], sample=sample, **options)
            for item in (said or "").split(","):
                low, _, high = map(_plain, item.partition(" - "))
                told = _END.fullmatch(low) and _END.fullmatch(high) and not (low.startswith(high) or high.startswith(low))
                if told and not {low, high} & used:
                    used |= {low, high}
                    pairs.append((low, high))
            if len(pairs) >= 2 * self.more + 2:
                break
        return pairs[: 2 * self.more + 2]

    def _tried(self, low: str, high: str) -> Tried:
        topic = self.topic[:1].lower() + self.topic[1:]
        prompts = [
            f"Write {topic}, one or two sentences on one line. It is {end}. Answer with the text alone."
            for end in (low, high)
            for _ in range(self.tries)
        ]
        samples = [*range(self.tries)] * 2
        texts = [text or "" for text in self.writer(prompts, role="proposer", sample=samples, max_tokens=60, stop=("\n",))]
        p = Labels(self.lm, f"Is the text {low} or {high}?", (low, high), self.seed, self.orders)(texts)
        truth = np.repeat([0, 1], self.tries)
        z = logit(p[np.isfinite(p)])
        ends = [z[truth[np.isfinite(p)] == end] for end in (0, 1)]
        gap = float(ends[1].mean() - ends[0].mean()) if all(map(len, ends)) else 0.0
        return Tried(low, high, auc(p, truth), gap)


def _read(file: Path, topic: str) -> list[Tried]:
    """Reads what an earlier start of the run took. Raises ValueError where the file is of another topic, or damaged."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["topic"] != topic:
            raise UserError(f"{file} holds axes of another topic ({told['topic']})", "type another name=, or delete that file")
        return [Tried(**axis) for axis in told["axes"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error})", "delete it, and axes are proposed anew") from error


def _show(found: Sequence[Tried]) -> None:
    for axis in found:
        verdict = "taken" if axis.taken else "not taken"
        print(f"qd: proposed axis {axis.low} - {axis.high}: ends told apart {axis.auc:.0%}, {verdict}", file=sys.stderr)


def _plain(word: str) -> str:
    return " ".join(word.split()).strip(" .\"'").lower()
