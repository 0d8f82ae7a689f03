"""Near copies of earlier texts are written again, and not judged, whatever emitter writes them.

A small language model that is shown elites copies them: 54 % of QDAIF's opinions shared four of five words with an earlier text
(docs/text.md). B texts of a generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from domains.text.overlap import rouge_l
from qd import abilities, keys
from qd.support.errors import UserError
from qd.types import Array, Batch, Describe, Elites, Emitter, Memory, Offspring


class Likeness(Protocol):
    """How much a text is like the one of several that it is most like."""

    def __call__(self, text: str, others: Sequence[str]) -> float:
        """Returns 1 for the same text, less for others; 0 where there are no others."""
        ...


@dataclass(frozen=True)
class SharedWords:
    """The share of words that two texts have in the same order (ROUGE-L's F), of the most similar one.

    >>> SharedWords()("the rain falls", ["the rain falls down", "dry"])
    0.8571428571428571
    """

    def __call__(self, text: str, others: Sequence[str]) -> float:
        """Compares a text with each of several; arguments as in ``Likeness``."""
        return max((rouge_l(text, other) for other in others), default=0.0)


@dataclass(frozen=True)
class Cosine:
    """The cosine between vectors of two texts, of the most similar one. All others are embedded again for each text."""

    embed: Callable[[Sequence[str]], np.ndarray] = field(compare=False)  # unit vectors [B, V]

    def __call__(self, text: str, others: Sequence[str]) -> float:
        """Compares a text with each of several; arguments as in ``Likeness``."""
        if not others:
            return 0.0
        here, *rest = self.embed([text, *others])
        return float((np.stack(rest) @ here).max())


class EarlierTexts(NamedTuple):
    """The memory of the emitter that writes, and all texts that were judged, the oldest first."""

    own: Memory
    texts: tuple[str, ...]


@dataclass(frozen=True)
class WithoutCopies:
    """Any emitter of texts, of which near copies of earlier texts are emptied: they fail, unjudged, and enter nothing.

    Where all of a generation are copies it is written again, at most ``tries`` times in all. Earlier texts are the elites of
    the start and all later ones that were no copies.
    """

    emitter: Emitter
    likeness: Likeness = field(default=SharedWords(), compare=False)
    most_alike: float = 0.8  # a text is a copy from here on
    tries: int = 5
    pure: bool = False

    def __post_init__(self) -> None:
        if self.tries < 1 or not 0 < self.most_alike <= 1:
            raise UserError(
                f"tries={self.tries} must be 1 or more, and most_alike={self.most_alike} above 0 and at most 1",
                "type emitter.tries=5 emitter.most_alike=0.8",
            )

    @property
    def batch_size(self) -> int:
        """Texts of a generation: as many as the emitter writes."""
        return abilities.of_emitter(self.emitter).batch_size

    def init(self, key: Array, elites: Elites) -> Memory:
        """Starts from the elites; arguments as in ``Emitter``."""
        rows: Any = elites.rows()
        texts = [str(rows.solutions[i]) for i in np.argsort(rows.ids, kind="stable")]
        return EarlierTexts(self.emitter.init(key, elites), tuple(texts))

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Lets the emitter write until one text or more is new.

        Args:
            key: of the tries.
            memory: the emitter's own, and the earlier texts.
            elites: of the archive.

        Returns:
            The memory with the new texts, and B texts; "" in place of a copy.
        """
        own, offspring, texts, new = memory.own, None, [], ()
        for try_key in keys.split(key, self.tries):
            own, offspring = self.emitter.ask(try_key, memory.own, elites)
            texts, new = self._without_copies(map(str, offspring.solutions), memory.texts)
            if new:
                break
        assert offspring is not None  # tries is 1 or more
        solutions = np.empty(len(texts), dtype=object)
        solutions[:] = texts
        return EarlierTexts(own, (*memory.texts, *new)), offspring._replace(solutions=solutions)

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Hands the batch on; arguments as in ``Emitter``."""
        return memory._replace(own=self.emitter.tell(memory.own, batch))

    def redescribe(self, memory: Memory, describe: Describe) -> Memory:
        """Lets the emitter describe its memory again; arguments as in ``EmitterAbilities``."""
        return memory._replace(own=abilities.of_emitter(self.emitter).redescribe(memory.own, describe))

    def _without_copies(self, texts: Any, earlier: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
        """Returns the texts, "" in place of copies, and the new ones alone; a text may copy one of the same generation."""
        kept, new = [], ()
        for text in texts:
            is_new = bool(text) and self.likeness(text, (*earlier, *new)) < self.most_alike
            kept.append(text if is_new else "")
            new = (*new, text) if is_new else new
        return kept, new
