"""Settings that cannot be, refused before JAX and weights are read: it imports neither.

``check`` is what ``qd run`` asks before it imports the domain (qd/config/preconditions.py).
"""

from collections.abc import Mapping
from typing import Any

from qd.support.errors import UserError
from qd.support.spelling import unknown

GROUPS = {"denoising": 5, "denoising_bits": 1}  # set of options -> the most groups of timesteps that one has; a test compares
WINDOWS = {"train": 128, "validation": 192, "test": 256}  # windows of text in the language model's file
LANGUAGE = ("language", "language_outliers")


def check(settings: Mapping[str, Any]) -> None:
    """Refuses settings of ``Quant`` that cannot be, where they are plain words and numbers.

    Args:
        settings: name -> value; what is missing has its default.

    Raises:
        UserError: there is no such split, a set of options is of another kind of network, or there are more groups of timesteps
            than steps or calibration samples, or more windows of text than there are.
    """
    network, split = settings.get("network", ""), str(settings.get("split", "validation"))
    check_split(split)
    check_options(str(network), str(settings.get("options") or ""))
    number = lambda name, default: x if isinstance(x := settings.get(name, default), int) else default
    if network == "diffusion":
        groups = GROUPS.get(settings.get("options") or "denoising", 1)
        check_groups(groups, number("steps", 10), number("calibration", 256))
    if network in LANGUAGE:
        check_windows(split, max(number("images", 0) or 1, number("corrupted", 0)))


def check_split(split: str) -> None:
    """Raises UserError where the data of no network have such a split.

    Args:
        split: train, validation or test.
    """
    if split not in WINDOWS:
        raise unknown("split", split, WINDOWS)


def check_options(network: str, options: str) -> None:
    """Raises UserError where a set of options is made for another kind of network.

    Args:
        network: name.
        options: name of a set; empty: the one that suits the network.
    """
    if options in GROUPS and network and network != "diffusion":
        raise UserError(
            f"options {options} are for the diffusion transformer, not for {network}", "type domain.network=diffusion"
        )
    if options and options not in GROUPS and network == "diffusion":
        raise UserError(
            f"options {options} are none of the diffusion transformer", f"type domain.options={' or '.join(GROUPS)}"
        )
    if options.startswith("language") and network and network not in LANGUAGE:
        raise UserError(f"options {options} are for the language model, not for {network}", "type domain.network=language")


def check_groups(groups: int, steps: int, samples: int) -> None:
    """Raises UserError where groups of timesteps are more than steps or calibration samples.

    Args:
        groups: of an option.
        steps: S.
        samples: n.
    """
    if steps < 1:
        raise UserError(f"{steps} steps sample no image", "type domain.steps=10")
    if groups > steps:
        raise UserError(
            f"{groups} groups of timesteps are more than the {steps} steps: group {steps} would be beyond the last one",
            f"type domain.steps={groups}, or choose options with at most {steps} groups",
        )
    if groups > samples:
        raise UserError(
            f"{groups} groups of timesteps cannot be calibrated on {samples} samples: each needs one of its own",
            f"type domain.calibration={groups} or more (256 by default)",
        )


def check_windows(split: str, windows: int, first: int = 0) -> None:
    """Raises UserError where there is no such split of the text, or fewer windows.

    Args:
        split: train, validation or test.
        windows: N.
        first: the first of them.
    """
    check_split(split)
    want_windows(windows, WINDOWS[split] - first)


def want_windows(windows: int, there: int) -> None:
    """Checks a number of windows.

    Args:
        windows: wanted.
        there: how many the split has.

    Raises:
        UserError: ``windows`` is none of 1 to ``there``.
    """
    if not 1 <= windows <= there:
        raise UserError(f"images={windows} is none of 1 to {there} windows of text", f"type images={there}")
