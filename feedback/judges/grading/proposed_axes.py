"""Axes that a language model proposes, each tested before it is used.

    grade = ProposedAxes(judge_lm, writer=lm, topic="An opinion about bicycles", quality="The text is about bicycles.", more=2)
    grade(["They are slow."])     # [[quality, axis 1, axis 2]]

The writer names pairs of opposite words and writes texts of both ends of each. The judge, which does not know the end of a
text, must separate them. All proposals and their tests are printed and stored in the run's folder, and a resumed run reads
them from there. B texts, M axes.
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
_NOT_KINDS = {
    *("good", "bad", "better", "worse", "great", "poor", "clear", "unclear", "short", "long", "brief", "positive", "negative"),
    *("boring", "interesting", "predictable"),
}
_EXAMPLES = """Topic: A song about the sea
Opposite kinds: tender - angry, solemn - playful, old - modern, lonely - crowded, slow - fast
Topic: A letter to a friend
Opposite kinds: grateful - bitter, formal - intimate, homesick - adventurous, gossipy - thoughtful, secret - open
Topic: {topic}
Opposite kinds:"""  # small models continue such a list well; in JSON they only name good and bad, short and long
_MOST_LISTS = 4  # of pairs, requested from the writer


class AxisWriter(Protocol):
    """The methods of a client that writes; feedback.lm.client.LM has them."""

    def __call__(self, prompts: Sequence[str], **options: Any) -> list[str | None]:
        """Answers B prompts."""
        ...

    def complete(self, prompts: Sequence[str], **options: Any) -> list[str | None]:
        """Continues B texts.

        Args:
            prompts: B texts.
            options: as of feedback.lm.client.LM.complete.

        Returns:
            B continuations, None where a call failed.
        """
        ...


class AxisTrial(NamedTuple):
    """A proposed axis, and how well the judge separates texts of its two ends."""

    low: str
    high: str
    auc: float
    gap: float  # between the mean logits of both ends
    taken: bool = False  # the key of axes.json: whether the judge uses this axis

    @property
    def question(self) -> str:
        return f"Is the text {self.low} or {self.high}?"


@dataclass(frozen=True)
class ProposedAxes:
    """Judges quality, the axes given by hand, then ``more`` axes that the writer proposes when the first text is judged."""

    lm: LanguageModel  # the judge
    writer: AxisWriter = field(compare=False)
    topic: str
    quality: str | tuple[str, ...]  # as in InWords
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
        """Returns [B, 1 + M]; NaN where the model gave no answer. Raises UserError where too few axes can be judged."""
        return self._judge(items)

    @cached_property
    def _judge(self) -> InWords:
        file = None if self.folder is None else Path(self.folder, FILE)
        trials = _read(file, self.topic) if file is not None and file.exists() else self._propose(file)
        axes = tuple((axis.question, axis.low, axis.high) for axis in trials if axis.taken)
        return InWords(self.lm, self.quality, (*self.axes, *axes), orders=self.orders, seed=self.seed)

    def _propose(self, file: Path | None) -> list[AxisTrial]:
        """Requests axes, tests them, prints the results and writes them to the file."""
        trials = [self._test(low, high) for low, high in self._pairs()]
        order = sorted(range(len(trials)), key=lambda i: (-trials[i].auc, -trials[i].gap))
        good = [i for i in order if trials[i].auc >= LEAST][: self.more]
        trials = [axis._replace(taken=i in good) for i, axis in enumerate(trials)]
        _show(trials)
        if len(good) < self.more:
            raise UserError(
                f"the judge can separate the ends of {len(good)} of {len(trials)} axes that the model proposed, "
                f"and {self.more} are needed",
                f"type {f'grade.more={len(good)}, ' if good else ''}lm=... for a stronger model, or "
                "name axes yourself: domain=text grade.axes=[[QUESTION,LOW,HIGH]]",
            )
        if file is not None:
            atomic.make_folder(file.parent)
            content = {"topic": self.topic, "axes": [axis._asdict() for axis in trials]}
            atomic.write(file, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        return trials

    def _pairs(self) -> list[tuple[str, str]]:
        """Returns pairs of words that no other pair or axis has, and that describe neither quality nor length."""
        options = {"role": "proposer", "max_tokens": 60, "stop": ("\n",), "temperature": 0.8}
        used = {_plain(word) for axis in self.axes for word in axis[1:]} | _NOT_KINDS
        pairs: list[tuple[str, str]] = []
        for sample in range(_MOST_LISTS):
            (reply,) = self.writer.complete([_EXAMPLES.format(topic=self.topic)], sample=sample, **options)
            for item in (reply or "").split(","):
                low, _, high = map(_plain, item.partition(" - "))
                is_pair = _END.fullmatch(low) and _END.fullmatch(high) and not (low.startswith(high) or high.startswith(low))
                if is_pair and not {low, high} & used:
                    used |= {low, high}
                    pairs.append((low, high))
            if len(pairs) >= 2 * self.more + 2:
                break
        return pairs[: 2 * self.more + 2]

    def _test(self, low: str, high: str) -> AxisTrial:
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
        return AxisTrial(low, high, auc(p, truth), gap)


def _read(file: Path, topic: str) -> list[AxisTrial]:
    """Reads the axes of an earlier start of the run. Raises UserError where the file is of another topic, or damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["topic"] != topic:
            raise UserError(
                f"{file} holds axes of another topic ({content['topic']})", "type another name=, or delete that file"
            )
        return [AxisTrial(**axis) for axis in content["axes"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error})", "delete it, and new axes are proposed") from error


def _show(trials: Sequence[AxisTrial]) -> None:
    for axis in trials:
        verdict = "used" if axis.taken else "not used"
        print(f"qd: proposed axis {axis.low} - {axis.high}: ends separated {axis.auc:.0%}, {verdict}", file=sys.stderr)


def _plain(word: str) -> str:
    return " ".join(word.split()).strip(" .\"'").lower()
