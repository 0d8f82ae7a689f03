"""Figures of a quantized language model: bits per byte, worst document, calibration, greedy text, memorised training items.

B configs, N windows of T tokens, M = N T next tokens, V pieces. Greedy text is compared exactly by one forward pass: up to the
first token that differs, a config sees what full precision saw.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from domains.quant import figures, preconditions
from domains.quant.networks import language
from domains.quant.quantize.bank import Bank
from qd.types import Rendering

_OF_TEXT, _OF_PROBES = ("bits_per_byte", "worst_document", "calibration", "flips"), ("greedy", "memorised")
PROMPT, NEW, EXACT = 32, 32, 16  # tokens that are given, that are written, and that must come out for an item to be memorised
TOGETHER = 12  # texts that one forward pass takes
_ITEMS, _CHUNK = 36, 8  # a multiple of TOGETHER; configs
_WRONG = 0.05  # of tokens that are replaced


class Probes(NamedTuple):
    """What configs are to go on with: TOGETHER greedy texts of full precision, then training items."""

    tokens: np.ndarray  # [P, PROMPT + NEW + 1]

    def logits(self, bank: Bank, solutions: np.ndarray) -> np.ndarray:
        """Returns what B configs make of each next token, [B, P * (PROMPT + NEW), V].

        Args:
            bank: of the network.
            solutions: an option for each gene, [B, D].
        """
        several = np.split(self.tokens[:, :-1], len(self.tokens) // TOGETHER)
        return np.concatenate([bank.logits(solutions, language.embed(each)) for each in several], 1)


def columns(probes: bool) -> tuple[str, ...]:
    """Returns the names of the figures besides the objective, with or without those of probes."""
    return _OF_TEXT + _OF_PROBES * probes


def judge(
    bank: Bank, solutions: np.ndarray, split: str, windows: int, probes: bool = True, wrong: int = 0, first: int = 0
) -> dict[str, np.ndarray]:
    """Evaluates B configs on held-out text.

    Args:
        bank: of a language model.
        solutions: [B, 2L].
        split: train, validation or test.
        windows: N, how many of the excerpts.
        probes: greedy text and memorised items too.
        wrong: how many of these windows to read with a twentieth of the tokens replaced; 0: none.
        first: of the excerpts.

    Returns:
        Name -> float32 [B]. accuracy: 100 * 2^-(bits per byte more than full precision), the share of its probability that a
        byte keeps; bits_per_byte; worst_document: the same as accuracy, of the document that suffers most; calibration
        (expected error of the most probable token) and flips (another token is the most probable), per cent; greedy: tokens of
        greedy text before it differs from full precision's, per cent; memorised: training items that are completed word by
        word, per cent; corruption: accuracy where tokens are wrong, beside full precision there.
    """
    excerpts = excerpts_of(split, windows, first)
    parts = [{} for _ in solutions]
    for at in range(0, len(solutions), _CHUNK):
        chunk = slice(at, at + _CHUNK)
        rows = solutions[chunk]
        reference = referred(_full(bank, excerpts), excerpts)
        several = [figures_of(logits, reference, excerpts) for logits in bank.logits(rows, excerpts.inputs)]
        if wrong:
            harder = excerpts_of(split, wrong, first, True)
            reference = referred(_full(bank, harder), harder)
            more = (figures_of(logits, reference, harder) for logits in bank.logits(rows, harder.inputs))
            several = [one | {"corruption": each["accuracy"]} for one, each in zip(several, more, strict=True)]
        if probes:
            own = probe(bank)
            several = [one | completions(x, own) for one, x in zip(several, own.logits(bank, rows), strict=True)]
        parts[chunk] = several
    return {name: np.array([part[name] for part in parts], np.float32) for name in parts[0]}


@dataclass(frozen=True, eq=False)
class Excerpts:
    """Held-out windows with what follows each token."""

    inputs: np.ndarray  # float32 [N, T, D]
    targets: np.ndarray  # [M]
    lengths: np.ndarray  # [M] bytes of the targets
    documents: np.ndarray  # [M]


@lru_cache(maxsize=16)
def excerpts_of(split: str, windows: int, first: int = 0, wrong: bool = False) -> Excerpts:
    """Returns so many windows of a split.

    Args:
        split: train, validation or test.
        windows: N.
        first: the first window.
        wrong: a twentieth of the tokens that are read is replaced by any.

    Raises:
        UserError: there are fewer.
    """
    rest, random = language.stored(), np.random.default_rng(0)
    preconditions.want_windows(windows, len(rest.windows[split]) - first)
    tokens = rest.windows[split][first : first + windows]
    read = tokens[:, :-1]
    if wrong:
        read = np.where(random.random(read.shape) < _WRONG, random.integers(0, len(rest.pieces.pieces), read.shape), read)
    lengths = rest.pieces.lengths[tokens[:, 1:]].reshape(-1)
    documents = np.repeat(rest.documents[split][first : first + windows], read.shape[1])
    return Excerpts(language.embed(read), tokens[:, 1:].reshape(-1), lengths, documents)


def bits(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the bits of each target, [M].

    Args:
        logits: [M, V].
        targets: indices below V, [M].
    """
    shift = logits - logits.max(1, keepdims=True)
    return (np.log(np.exp(shift).sum(1)) - shift[np.arange(len(targets)), targets]) / np.log(2)


class Reference(NamedTuple):
    """What full precision makes of M next tokens; found once for all configs of a call."""

    bits: np.ndarray  # [M]
    best: np.ndarray  # [M] the most probable tokens


def referred(full: np.ndarray, excerpts: Excerpts) -> Reference:
    """Returns what configs are compared with.

    Args:
        full: logits of full precision, [M, V].
        excerpts: of the text.
    """
    return Reference(bits(full, excerpts.targets), full.argmax(1))


def figures_of(logits: np.ndarray, full: Reference, excerpts: Excerpts) -> dict[str, float]:
    """Returns the figures of one config that need no probes.

    Args:
        logits: [M, V].
        full: full precision on the same excerpts.
        excerpts: of the text.

    Returns:
        accuracy, bits_per_byte, worst_document, calibration and flips, as in ``judge``; NaN where a logit is not finite.
    """
    own = bits(logits, excerpts.targets)
    if not np.isfinite(own).all():
        return dict.fromkeys(("accuracy", *_OF_TEXT), float("nan"))
    rise, by_document = own - full.bits, lambda x: np.bincount(excerpts.documents, x)
    size = by_document(excerpts.lengths)
    worst = (by_document(rise)[size > 0] / size[size > 0]).max()
    return {
        "accuracy": kept(rise.sum() / excerpts.lengths.sum()),
        "bits_per_byte": float(own.sum() / excerpts.lengths.sum()),
        "worst_document": kept(worst),
        "calibration": float(figures.calibration_error(logits[None], excerpts.targets)[0]),
        "flips": 100 * float((logits.argmax(1) != full.best).mean()),
    }


def kept(rise: float) -> float:
    """100 * 2^-rise: the share of its probability that a byte keeps, per cent, where it takes so many bits more."""
    return 100 * 2.0 ** -float(rise)


def completions(logits: np.ndarray, probes: Probes) -> dict[str, float]:
    """Returns greedy and memorised, per cent.

    Args:
        logits: of the probes' next tokens, [P * (PROMPT + NEW), V].
        probes: P texts.
    """
    best = logits.argmax(1).reshape(len(probes.tokens), -1)
    right = (best == probes.tokens[:, 1:])[:, PROMPT - 1 :]
    greedy, items = right[:TOGETHER, :NEW], right[TOGETHER:, :EXACT]
    return {
        "greedy": 100 * float(np.cumprod(greedy, 1).mean()),
        "memorised": 100 * float(items.all(1).mean()),
    }


@lru_cache(maxsize=4)
def probe(bank: Bank) -> Probes:
    """Returns prompts from held-out text with full precision's greedy text, and training items."""
    excerpts = language.stored().windows
    texts = write(bank, bank.full(), _prompts(), NEW + 1)
    return Probes(np.concatenate([texts, excerpts["train"][:_ITEMS, : PROMPT + NEW + 1]]))


def _prompts() -> np.ndarray:
    return language.stored().windows["test"][-TOGETHER:, :PROMPT]  # of the last excerpts: few judge by so many


def write(bank: Bank, config: np.ndarray, prompts: np.ndarray, new: int) -> np.ndarray:
    """Writes greedy text: each time the most probable next token.

    Args:
        bank: of a language model.
        config: [2L].
        prompts: [P, tokens].
        new: tokens to write.

    Returns:
        Prompts and what follows, int32 [P, tokens + new].
    """
    tokens = np.pad(prompts, ((0, 0), (0, new))).astype(np.int32)
    for at in range(prompts.shape[1], tokens.shape[1]):  # what stands behind ``at`` is masked
        logits = bank.logits(config[None], language.embed(tokens[:, :-1]))[0].reshape(len(tokens), tokens.shape[1] - 1, -1)
        tokens[:, at] = logits[:, at - 1].argmax(1)
    return tokens


def draw(bank: Bank, solutions: np.ndarray) -> list[Rendering]:
    """Returns for each config its greedy text above full precision's, from the same prompt.

    Args:
        bank: of a language model.
        solutions: [B, 2L].
    """
    pieces, full, pages = language.stored().pieces, probe(bank).tokens[TOGETHER - 1], []
    for config in solutions:
        own = write(bank, np.asarray(config), _prompts()[-1:], NEW + 1)[0]
        parts = (
            ("quantized", own[PROMPT:]),
            ("full precision", full[PROMPT:]),
            ("after the prompt", full[:PROMPT]),
        )  # pages cut
        pages.append(Rendering("text", "\n\n".join(f"{name}: {pieces.decode(tokens)}" for name, tokens in parts)))
    return pages


@lru_cache(maxsize=8)
def _full(bank: Bank, excerpts: Excerpts) -> np.ndarray:
    return bank.logits(bank.full()[None], excerpts.inputs)[0]
