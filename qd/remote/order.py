"""The order in which asks of the steady-state driver came back, one line each: ask,before.

``ask`` is its running number, ``before`` how many asks were under way just before it came back. A run that goes on repeats
what it recorded after its last checkpoint.
"""

from pathlib import Path
from typing import NamedTuple

from qd.support import run_files
from qd.support.errors import UserError

_HEAD = "ask,before\n"


class Entry(NamedTuple):
    """An ask that came back."""

    ask: int
    before: int


class Order:
    """The recorded order of a run, and what is added to it."""

    def __init__(self, path: Path | None, entries: list[Entry], repeats: bool) -> None:
        self._path, self._entries, self._repeats = path, entries, repeats
        self._count = len(_read(path)) if repeats and path is not None else len(entries)

    @staticmethod
    def open(run: str | None, other_run: str | None) -> "Order":
        """Opens the order of a run.

        Args:
            run: its folder; None: nothing is recorded.
            other_run: one, the order of which is repeated; None: the order of this run as far as it is recorded.

        Raises:
            UserError: the other run has recorded no order.
        """
        path = None if run is None else Path(run, run_files.ORDER)
        if other_run is None:
            return Order(path, _read(path), False)
        other = Path(other_run, run_files.ORDER)
        if not other.is_file():
            raise UserError(
                f"{other} is not there: {other_run} is no run of driver=steady", "type driver.order=RUN, or leave it out"
            )
        return Order(path, _read(other), True)

    def at(self, index: int) -> Entry | None:
        """Returns which ask came back at that place; None where that is still open."""
        return self._entries[index] if index < len(self._entries) else None

    def add(self, index: int, ask: int, before: int) -> None:
        """Records an ask, where it is not recorded yet.

        Args:
            index: its place in the order.
            ask: its number.
            before: asks under way just before it came back.
        """
        if not self._repeats and index >= len(self._entries):
            self._entries.append(Entry(ask, before))
        if self._path is None or index < self._count:
            return
        self._count += 1
        with self._path.open("a", encoding="ascii") as file:
            file.write(("" if file.tell() else _HEAD) + f"{ask},{before}\n")


def _read(path: Path | None) -> list[Entry]:
    """Reads whole lines; cuts what a kill left half written."""
    if path is None or not path.is_file():
        return []
    text = path.read_text(encoding="ascii", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    if len(whole) < len(text):
        path.write_text(whole, encoding="ascii")
    try:
        return [Entry(*map(int, line.split(","))) for line in whole.splitlines()[1:]]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error})", "type again=true to start again") from error
