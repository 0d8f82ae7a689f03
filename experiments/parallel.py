"""Several runs of a study at a time, each kept as soon as it has ended."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from experiments import origin
from experiments.study import Key

T = TypeVar("T")


def results(keys: Sequence[Key], play: Callable[[Key], T], at_once: int) -> Iterator[tuple[Key, T]]:
    """Yields each run and what it returned, in the order in which they end.

    Args:
        keys: the runs, begun in this order.
        play: does one, in a thread.
        at_once: runs at the same time.

    Raises:
        Exception: the first that a run raised, after all others have been yielded.
    """
    origin.of_running()  # now: it reads syntax trees, which Python 3.11 does not do in several threads
    errors = []
    with ThreadPoolExecutor(at_once) as threads:
        begun = {threads.submit(play, key): key for key in keys}
        for each in as_completed(begun):
            if (error := each.exception()) is not None:
                print(f"{begun[each]}: {type(error).__name__}: {error}", flush=True)
                errors.append(error)
            else:
                yield begun[each], each.result()
    if errors:
        raise errors[0]
