"""Names that were meant, for messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], most: int | None = None) -> str:
    """Lists the known names, the one most like ``name`` first; or only the ``most`` that are most like it.

    Args:
        name: as typed.
        known: names that there are.
        most: how many are listed; None: all.

    Returns:
        Names with commas between them; the first is marked "(the nearest)" where it is at least half like ``name``.
    """
    known = list(known) if most is None else difflib.get_close_matches(name, list(known), n=most, cutoff=0.0)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return ", ".join([f"{k} (the nearest)" for k in close] + [k for k in known if k not in close])
