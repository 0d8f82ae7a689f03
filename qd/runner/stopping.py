"""A run that is asked to stop: by a signal, or by whoever holds its ``Stop``."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    if threading.current_thread() is not threading.main_thread():  # only there may signals be caught
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: Any) -> None:
        stop.asked = True
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
