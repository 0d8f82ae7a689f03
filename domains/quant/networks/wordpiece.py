"""Sentences as numbers of word pieces: BERT's uncased tokenizer (Wu et al. 2016; Devlin et al. 2019).

N sentences, T tokens.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_LONGEST = 100  # letters of a word; a longer one is unknown


@dataclass(frozen=True, eq=False)
class Words:
    """A vocabulary: piece -> number; a piece inside a word begins with ##."""

    numbers: dict[str, int]

    @staticmethod
    def read(path: Path) -> "Words":
        """Reads one piece a line."""
        return Words({piece: i for i, piece in enumerate(path.read_text(encoding="utf-8").splitlines())})

    def encode(self, sentences: Sequence[str], tokens: int) -> np.ndarray:
        """Returns the numbers of [CLS] pieces [SEP].

        Args:
            sentences: N texts.
            tokens: T, to which each is padded with 0 or cut.

        Returns:
            int32 [N, T].
        """
        numbers = np.zeros((len(sentences), tokens), np.int32)
        for row, sentence in zip(numbers, sentences, strict=True):
            pieces = [piece for word in _split(sentence) for piece in self._pieces(word)][: tokens - 2]
            row[: len(pieces) + 2] = [self.numbers["[CLS]"], *pieces, self.numbers["[SEP]"]]
        return numbers

    def _pieces(self, word: str) -> list[int]:
        """The longest piece first, again and again; a word that does not come out is unknown."""
        numbers, at = [], 0
        while at < len(word):
            prefix = "##" if at else ""
            ends = (end for end in range(len(word), at, -1) if prefix + word[at:end] in self.numbers)
            end = next(ends, None) if len(word) <= _LONGEST else None
            if end is None:
                return [self.numbers["[UNK]"]]
            numbers.append(self.numbers[prefix + word[at:end]])
            at = end
        return numbers


def _split(sentence: str) -> list[str]:
    """Lower case, accents off, words and single marks apart."""
    plain = unicodedata.normalize("NFD", sentence.lower())
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn")
    return re.findall(r"[^\W_]+|[^\w\s]|_", plain)
