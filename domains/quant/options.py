"""Which options a search may choose from, by name: a set is two tuples, for weights and for inputs.

`bits` is the plain question (how many bits), `search` what serves on a small network, `deployable` what both exporters
carry, `weights` leaves inputs as they are, `every` all that the bank knows; `denoising` is for the diffusion transformer, and
`denoising_bits` its plain question; `language` is for the language model, `language_bits` its plain question, which ONNX files
carry, and `language_quest` and the others beside it are one paper's question each.
"""

from itertools import product
from typing import Any

from domains.quant.quantize.low_rank_vectors import LowRankVectorOption
from domains.quant.quantize.quantizers import CLIPS, PER, ActivationOption, WeightOption
from domains.quant.quantize.steps import StepOption
from domains.quant.quantize.vectors import SmoothOption, VectorOption
from qd.support.spelling import unknown

W, A, S = WeightOption, ActivationOption, StepOption
BITS = (2, 3, 4, 5, 6, 8)

UNIFORM = tuple(W(b, "int", s, p, c) for b, s, p, c in product(BITS, (True, False), PER, CLIPS))
OTHERS = (
    W(4, "fp4", clip="mse"),
    W(4, "nf4", clip="mse"),
    W(6, "fp6", clip="minmax"),
    W(8, "fp8", clip="minmax"),
    W(3, "log2", clip="mse"),
    W(4, "log2", clip="mse"),
    *(W(b, "codebook") for b in (2, 3, 4, 5)),
    *(W(b, "hadamard", clip="mse") for b in (2, 3, 4)),
    *(W(b, "round", symmetric=False) for b in (2, 3, 4)),
    *(W(b, "sparse", symmetric=False) for b in (4, 6, 8)),
)
_INPUTS = tuple(A(b, c) for b in BITS for c in CLIPS)

_TURNS = ("smooth", "hadamard", "learned", "orthogonal", "affine")

Options = tuple[tuple[Any, ...], tuple[Any, ...]]  # of weights and of inputs; the diffusion transformer has kinds of its own
SETS: dict[str, Options] = {
    "bits": (tuple(W(b, clip="mse") for b in (2, 3, 4, 6, 8)), tuple(A(b, "mse") for b in (2, 3, 4, 6, 8))),
    "search": (
        (
            *(W(b, "round", symmetric=False) for b in (2, 3, 4)),
            *(W(b, "round") for b in (3, 4)),
            *(W(b, "codebook") for b in (2, 3, 4)),
            *(W(b, symmetric=False) for b in (3, 4, 5, 6)),
            *(W(b) for b in (5, 6, 8)),
            W(8, per="tensor"),
            W(4, "nf4", clip="mse"),
            W(4, "sparse", symmetric=False),
        ),
        (*(A(b, "mse") for b in (2, 3, 4, 6)), *(A(b, "percentile") for b in (3, 4, 5, 8))),
    ),
    "deployable": ((W(4), W(8), W(8, per="tensor")), (A(8), A(8, "percentile"))),
    "encoder": (tuple(W(b) for b in (3, 4, 5, 6, 8)), (A(8), A(8, symmetric=True), A(7), A(6, "mse"))),
    "weights": (tuple(W(b) for b in (3, 4, 5, 6, 8)), (A(32),)),
    "language": (
        (
            *(W(b, "round") for b in (2, 3, 4)),
            *(W(b, "learned", clip="mse") for b in (3, 4)),
            W(3, "two_level"),
            W(4, "two_level"),
            *(W(b, clip="mse") for b in (3, 4, 6, 8)),
            W(6, "fp6"),
        ),
        (A(3, per="token", turn="learned"), *(A(b, per="token") for b in (4, 6, 8)), A(4, per="token", turn="learned"), A(8)),
    ),
    "language_bits": (tuple(W(b, clip="mse") for b in (2, 3, 4, 6, 8)), tuple(A(b, per="token") for b in (2, 3, 4, 6, 8))),
    # each a paper's own question about the language model
    "language_quest": (
        (*(W(b, "trained") for b in (1, 2, 3, 4)), W(8)),
        (*(A(b, per="gaussian", turn="hadamard") for b in (1, 2, 3, 4)), A(8, per="token")),
    ),
    "language_nested": (tuple(W(b, "nested_trained") for b in (2, 3, 4, 8)), tuple(A(b, per="token") for b in (3, 4, 6, 8))),
    "language_turns": (
        tuple(W(b, turn) for b in (3, 4) for turn in _TURNS) + (W(8),),
        (*(A(4, per="token", turn=turn) for turn in _TURNS), A(8, per="token")),
    ),
    "language_channels": (tuple(W(b, form) for b in (2, 3, 4) for form in ("int", "mixed")) + (W(8),), (A(8, per="token"),)),
    "language_groups": (tuple(W(b, form) for b in (2, 3, 4, 8) for form in ("int", "groups")), (A(8, per="token"),)),
    "language_cache": (
        (W(4, "two_level"), *(W(b, form) for b in (3, 4) for form in ("int", "smooth")), W(8)),
        (A(8, per="token"),),
    ),
    "language_floats": ((W(4, "fp4"), W(6, "fp6"), W(8, "fp8"), W(4), W(6), W(8)), (A(8, per="token"),)),
    "denoising": (
        (
            *(W(b, clip="mse") for b in (2, 3, 4, 6, 8)),
            *(VectorOption(b, tuned=True) for b in (2, 3)),
            *(LowRankVectorOption(2), SmoothOption(4)),
        ),
        (
            *(S((b,)) for b in (3, 4, 6, 8)),
            *(S((4,), 5), S((4, 6), 2), S((6, 4), 2)),
            *(S((4,), per="token", clip="minmax"), S((4,), per="smooth"), S((4,), per="log2 image")),
        ),
    ),
    "denoising_bits": (tuple(W(b, clip="mse") for b in (2, 3, 4, 6, 8)), tuple(S((b,)) for b in (2, 3, 4, 6, 8))),
    "every": (UNIFORM + OTHERS, _INPUTS),
}


def by_name(name: str) -> Options:
    """Returns a set's options. Raises ValueError where there is none of that name."""
    if name not in SETS:
        raise unknown("options", name, SETS)
    return SETS[name]
