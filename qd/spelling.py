"""Names that were meant, for messages."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Says the known names, the one most like ``name`` first."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return ", ".join([f"{k} (the nearest)" for k in close] + [k for k in known if k not in close])
