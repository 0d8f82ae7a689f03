"""A search by the names of our choices, without a command line and without a run folder."""

from collections.abc import Sequence
from typing import NamedTuple

from qd.config.compose import assemble, load
from qd.config.settings import RunSettings
from qd.driver import Driver
from qd.referee import Referee
from qd.types import Search


class Composition(NamedTuple):
    """What the words of ``qd run`` stand for."""

    search: Search
    referee: Referee | None  # the ground-truth archive's settings, where the words choose one
    run: Driver  # the driver that they choose, with the signature of qd.run
    settings: RunSettings  # seed, budget, initial, ...


def compose(words: Sequence[str] = ()) -> Composition:
    """Builds the components that the words of ``qd run`` name; nothing is run and nothing is written.

        search, referee, run, settings = qd.compose(["domain=arm", "archive=cvt", "seed=3"])

    Args:
        words: choices ("archive=cvt") and settings ("emitter.batch_size=64"), as after ``qd run``.

    Returns:
        The search, the referee (or None), the driver and the settings.

    Raises:
        UserError: an unknown choice or setting, with the nearest one; or components that do not fit each other.
    """
    settings = load(list(words))
    components = assemble(settings)
    return Composition(components.search, components.referee, components.run, settings)
