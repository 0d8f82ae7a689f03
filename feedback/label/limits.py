"""Limits on what a rater sends: the letters of a name, the forms of a second."""

import time
import unicodedata
from collections import OrderedDict

NAME = 40  # letters of a rater's name
_MOST_RATERS = 10_000  # with a remembered rate


def plain_name(name: str) -> str:
    """Returns a rater's name without control characters and extra spaces; empty where nothing remains."""
    letters = "".join(
        letter for letter in unicodedata.normalize("NFC", name) if unicodedata.category(letter) not in ("Cc", "Cs")
    )
    return " ".join(letters.split())[:NAME]


class Rate:
    """A limit on the forms a second of each rater; twice as many are taken at once."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._credit: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, rater: str) -> bool:
        """Whether one more form of a rater is taken now; it then counts."""
        now = time.monotonic()
        credit, then = self._credit.pop(rater, (2 * self.limit, now))
        credit = min(credit + (now - then) * self.limit, 2 * self.limit)
        is_allowed = credit >= 1
        self._credit[rater] = (credit - is_allowed, now)
        while len(self._credit) > _MOST_RATERS:
            self._credit.popitem(last=False)
        return is_allowed
