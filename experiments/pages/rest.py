"""All rows of the kept tables that no other page has, so that nothing is left out that was measured.

A row is a case and a method. Shown are the metrics that pages have of the study elsewhere, and the first ones of rows that have
none of these; the other metrics are named.
"""

import re
from collections.abc import Iterator

from experiments.pages import numbers, plans
from qd.report.table import Row

_MOST = 4  # metrics of a study of which no page has one


def lines() -> Iterator[str]:
    """Yields the lines of the page, study by study."""
    shown = {name for page in plans.pages() for words in plans.words_of(page) for name in numbers.names(*words)}
    for path in sorted(numbers.RESULTS.glob("*/table.csv")):
        yield from of_study(path.parent.name, {name[1:] for name in shown if name[0] == path.parent.name})


def of_study(name: str, shown: set[tuple[str, str, str]]) -> list[str]:
    """Returns the lines of a study; none where all its cases and methods are on a page.

    Args:
        name: of its folder.
        shown: what pages have of it: case, method, metric.
    """
    table = numbers.rows(name)
    pairs = dict.fromkeys(key[:2] for key in table)
    rest = [pair for pair in pairs if not any((*pair, metric) in shown for metric in _metrics(table))]
    if not rest:
        return []
    metrics = _columns(table, rest, {key[2] for key in shown})
    others = dict.fromkeys(re.sub(r"\d+$", "N", metric) for metric in _metrics(table) if metric not in metrics)
    head = ["case", "method", "n", *metrics]
    out = [f"## {name}", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for case, method in rest:
        rows = [table.get((case, method, metric)) for metric in metrics]
        n = max((row.n for row in rows if row), default=0)
        out.append(f"| {' | '.join([_escape(case), _escape(method), str(n), *map(_cell, rows)])} |")
    return [*out, "", f"In the table alone: {', '.join(others)}." if others else "All its metrics are here.", ""]


def _metrics(table: dict[tuple[str, str, str], Row]) -> list[str]:
    return list(dict.fromkeys(metric for *_, metric in table))


def _columns(table: dict[tuple[str, str, str], Row], rest: list[tuple[str, str]], known: set[str]) -> list[str]:
    """Returns the metrics that pages have elsewhere, and the first ones of each row that has none of those."""
    chosen = {metric for metric in known if any((*pair, metric) in table for pair in rest)}
    few = 1 if chosen else _MOST
    for pair in rest:
        own = [metric for metric in _metrics(table) if (*pair, metric) in table]
        chosen |= set() if chosen.intersection(own) else set(own[:few])
    return [metric for metric in _metrics(table) if metric in chosen]


def _cell(row: Row | None) -> str:
    """Returns a value, its interval, its values where they are fewer than five, and p of a difference."""
    if row is None or row.value != row.value:
        return ""
    interval = f" [{_number(row.low)}, {_number(row.high)}]" if row.low == row.low else ""
    few = f" ({', '.join(map(_number, row.values))})" if row.values else ""
    p = f", p {'<0.001' if row.p < 0.001 else f'{row.p:.2g}'}" if row.p == row.p else ""
    return _number(row.value) + interval + few + p


def _number(x: float) -> str:
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.3g}"


def _escape(words: str) -> str:
    return words.replace("|", "\\|")
