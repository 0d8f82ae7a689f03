"""Names that were meant, for messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, choices: Iterable[str], most: int | None = None) -> str:
    """Lists the choices, the one most like ``name`` first; or only the ``most`` that are most like it.

    Args:
        name: as typed.
        choices: valid names.
        most: how many are listed; None: all.

    Returns:
        Names with commas between them; the first is marked "(the nearest)" where it is at least half like ``name``.
    """
    choices = list(choices) if most is None else difflib.get_close_matches(name, list(choices), n=most, cutoff=0.0)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    return ", ".join([f"{k} (the nearest)" for k in close] + [k for k in choices if k not in close])
