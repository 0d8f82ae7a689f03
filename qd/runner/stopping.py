"""A run that is asked to stop: by a signal, or by whoever holds its ``Stop``."""

from collections.abc import Iterator
from contextlib import contextmanager

from qd.support.signals import on_stop_signal
from qd.types import Spent


class Stop:
    """Asked to stop, a run ends at the next generation, with a checkpoint."""

    asked = False
    spent = ""  # why it can do no more until it is given more


@contextmanager
def ending(stop: Stop) -> Iterator[None]:
    """Ends the run where what a part may spend is spent; the state is the last whole generation's."""
    try:
        yield
    except Spent as error:
        stop.asked, stop.spent = True, str(error)


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Turns the first SIGTERM or Ctrl-C into a request; the second acts at once."""

    def ask() -> None:
        stop.asked = True

    with on_stop_signal(ask):
        yield
