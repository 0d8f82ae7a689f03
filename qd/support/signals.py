"""Ctrl-C and SIGTERM as requests, and as an error that says which of them it was."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class StoppedBySignal(KeyboardInterrupt):
    """Ends work that was stopped by Ctrl-C (SIGINT) or SIGTERM.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped{words(number)}")
        self.exit_status = exit_status(number)


def words(number: int) -> str:
    """Returns " by SIGTERM"; nothing for Ctrl-C, which needs no naming, and for 0."""
    return f" by {signal.Signals(number).name}" if number not in (0, signal.SIGINT) else ""


def exit_status(number: int) -> int:
    """Returns the exit status of a command that a signal has stopped, by convention 128 + its number; 0 counts as Ctrl-C."""
    return 128 + (number or signal.SIGINT)


@contextmanager
def on_stop_signal(act: Callable[[int], None]) -> Iterator[None]:
    """Calls ``act`` at the first SIGTERM or Ctrl-C inside the block; a second one of the same kind acts as it did outside.

    Only the main thread can catch signals: in any other the block runs as it stands.

    Args:
        act: gets the number of the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(number: int, frame: Any) -> None:
        signal.signal(number, before[number])
        act(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
