"""Names that were meant, for messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], most: int | None = None) -> str:
    """Says the known names, the one most like ``name`` first; or only the ``most`` that are most like it."""
    known = list(known) if most is None else difflib.get_close_matches(name, list(known), n=most, cutoff=0.0)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return ", ".join([f"{k} (the nearest)" for k in close] + [k for k in known if k not in close])
