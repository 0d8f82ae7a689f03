"""Numbers of a set of texts: how diverse its words are, how similar its texts, how hard they are to read.

A word is a run of letters or digits, in small letters. What grows with the size of the set (most do) is comparable between
sets of one size only. N texts.
"""

import gzip
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from qd.diversity import vendi_of_kernel

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE = re.compile(r"[.!?…。！？]+")
_VOWELS = re.compile(r"[aeiouy]+")
_ORDERS = 4  # of BLEU


def words(text: str) -> list[str]:
    """Returns the words of a text."""
    return _WORD.findall(text.lower())


def distinct(texts: Sequence[str], n: int = 1) -> float:
    """Returns unique / all n-grams of the set (distinct-n, Li et al. 2016).

    >>> distinct(["a red fox", "a red hen"])
    0.6666666666666666

    Args:
        texts: the set, [N].
        n: words of a gram.

    Returns:
        A share, above 0 and at most 1; NaN where no text has n words.
    """
    counts = _count_grams(texts, n)
    return len(counts) / counts.total() if counts else math.nan


def entropy(texts: Sequence[str], n: int = 2) -> float:
    """Returns the entropy of the set's n-grams; arguments as in ``distinct``.

    Returns:
        Nats, 0 or more; NaN where no text has n words.
    """
    counts = np.array(list(_count_grams(texts, n).values()), float)
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum()) if len(counts) else math.nan


def ead(texts: Sequence[str], vocabulary: int = 30_000) -> float:
    """Expectation-adjusted distinct words (Liu et al. 2022): U / (V (1 - ((V-1)/V)^C)), which length alone does not change.

    Args:
        texts: the set, [N], with C words in all, U different ones.
        vocabulary: V, words that a text may choose from.

    Returns:
        A ratio, 0 or more; NaN without words.
    """
    counts = _count_grams(texts, 1)
    if not counts or vocabulary < 2:
        return math.nan
    expectation = -vocabulary * math.expm1(counts.total() * math.log1p(-1 / vocabulary))
    return len(counts) / expectation


def self_bleu(texts: Sequence[str], most: int = 100) -> np.ndarray:
    """Returns the BLEU-4 of each text with others as references: low is diverse (Zhu et al. 2018).

    Smoothing "exp" and effective order, as sacrebleu's sentence_bleu.

    Args:
        texts: the set, [N].
        most: references, 2 or more, taken at even steps: with more of them it rises.

    Returns:
        0 to 100, [N]; NaN for a text without words, or with no other.
    """
    split = [words(text) for text in texts]
    full = [i for i, tokens in enumerate(split) if tokens]
    indices = [full[i] for i in _even(len(full), max(most, 2))]
    references, out = _References((i, split[i]) for i in indices), np.full(len(split), math.nan)
    for i in full:
        if len(full) > 1:
            out[i] = references.bleu(i, split[i])
    return out


def compression_ratio(texts: Sequence[str]) -> float:
    """Returns bytes / bytes after gzip of all texts, a line each (Shaib et al. 2024): high where they repeat themselves."""
    raw = "\n".join(texts).encode("utf-8", "replace")
    return len(raw) / len(gzip.compress(raw, mtime=0)) if raw else math.nan


def vendi_of_words(texts: Sequence[str], order: float = 1.0, most: int = 500) -> float:
    """Returns the Vendi score of at most so many texts under the cosine of their counts of 1, 2 and 3 words in a row.

    The mean of the three kernels, as Friedman and Dieng (2023) have it; where a text begins and ends counts as a word.

    Args:
        texts: the set, [N]; those without words are left out.
        order: q of the entropy.
        most: texts used at most, taken at even steps.

    Returns:
        The effective number of different texts, 1 or more; NaN where no text has words.

    Raises:
        ValueError: the order is below 0.
    """
    split = [["<", *tokens, ">"] for text in texts if (tokens := words(text))]
    split = [split[i] for i in _even(len(split), most)]
    return vendi_of_kernel(sum(_kernel(split, n) for n in (1, 2, 3)) / 3, order) if split else math.nan


def grade(text: str) -> float:
    """Returns the Flesch-Kincaid grade of an English text: years of school that it asks of a reader; NaN without words."""
    tokens = words(text)
    if not tokens:
        return math.nan
    sentences = sum(bool(words(each)) for each in _SENTENCE.split(text))
    syllables = sum(map(_syllables, tokens))
    return 0.39 * len(tokens) / sentences + 11.8 * syllables / len(tokens) - 15.59


def mtld(text: str, threshold: float = 0.72) -> float:
    """Returns the measure of textual lexical diversity: words per stretch of varied words (McCarthy and Jarvis 2010).

    Args:
        text: read forwards and backwards.
        threshold: a stretch ends where its share of different words is no longer above it.

    Returns:
        Words, the mean of both directions; NaN where no word comes twice, as in most short texts.
    """
    tokens = words(text)
    factors = [_factors(tokens, threshold), _factors(tokens[::-1], threshold)]
    return float(np.mean([len(tokens) / each for each in factors])) if tokens and min(factors) > 0 else math.nan


class _References:
    """N-grams of references: of each its highest count, the text that has it, and the highest count of another text."""

    def __init__(self, references: Iterable[tuple[int, list[str]]]) -> None:
        self.lengths: dict[int, int] = {}
        self.best: list[dict[tuple[str, ...], tuple[int, int, int]]] = [{} for _ in range(_ORDERS)]
        for i, tokens in references:
            self.lengths[i] = len(tokens)
            for best, n in zip(self.best, range(1, _ORDERS + 1), strict=True):
                for gram, count in Counter(_grams(tokens, n)).items():
                    top, owner, second = best.get(gram, (0, -1, 0))
                    best[gram] = (count, i, top) if count > top else (top, owner, max(second, count))

    def bleu(self, i: int, tokens: list[str]) -> float:
        """BLEU of a text against all references but itself."""
        logs, smooth, matches = [], 1.0, 0
        for best, n in zip(self.best, range(1, _ORDERS + 1), strict=True):
            mine = Counter(_grams(tokens, n))
            if not mine:
                break
            right = sum(min(count, self._others(best, gram, i)) for gram, count in mine.items())
            smooth, matches = (smooth if right else 2 * smooth), matches + right
            logs.append(math.log((right or 1 / smooth) / mine.total()))
        if not matches:
            return 0.0
        closest = min((length for j, length in self.lengths.items() if j != i), key=lambda n: (abs(n - len(tokens)), n))
        brevity = min(0.0, 1 - closest / len(tokens))
        return 100 * math.exp(brevity + sum(logs) / len(logs))

    @staticmethod
    def _others(best: dict[tuple[str, ...], tuple[int, int, int]], gram: tuple[str, ...], i: int) -> int:
        top, owner, second = best.get(gram, (0, -1, 0))
        return second if owner == i else top


def _kernel(split: list[list[str]], n: int) -> np.ndarray:
    from scipy.sparse import csr_matrix

    columns: dict[tuple[str, ...], int] = {}
    counters = [Counter(_grams(tokens, n)) for tokens in split]
    at = [columns.setdefault(gram, len(columns)) for each in counters for gram in each]
    rows = np.repeat(np.arange(len(split)), [len(each) for each in counters])
    counts = np.array([count for each in counters for count in each.values()], float)
    lengths = np.sqrt([sum(count**2 for count in each.values()) for each in counters])
    x = csr_matrix((counts / lengths[rows], (rows, at)))
    return (x @ x.T).toarray()


def _count_grams(texts: Sequence[str], n: int) -> Counter:
    return Counter(gram for text in texts for gram in _grams(words(text), n))


def _grams(tokens: list[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[i:] for i in range(n)), strict=False)


def _even(n: int, most: int) -> list[int]:
    return np.linspace(0, n, min(n, most), endpoint=False).astype(int).tolist()


def _syllables(word: str) -> int:
    """Groups of vowels, without a silent e at the end; 1 at least."""
    groups = len(_VOWELS.findall(word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


def _factors(tokens: list[str], threshold: float) -> float:
    factors, types, length = 0.0, set(), 0
    for word in tokens:
        types.add(word)
        length += 1
        if len(types) / length <= threshold:
            factors, types, length = factors + 1, set(), 0
    return factors + ((1 - len(types) / length) / (1 - threshold) if length else 0.0)
