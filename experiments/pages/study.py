"""Writes the numbers of README and docs from the kept tables, between markers in their text.

    qd study pages                 writes all pages; given again, nothing changes
    qd study pages page=sparse

In a page ``<!--NAME-->...<!--/-->`` is a number, or a table where it stands on lines of its own. ``PAGE.yaml`` beside this
file says what NAME is, in words and references:

    defaults: {study: qdhf, metric: qd_score_current}
    numbers:
      ours 200: "[[case=arm, 200 answers; method=ours; form=.1i]]"
    tables:
      arm:
        rows: [{answers: 200, case: "arm, 200 answers"}]
        columns: {answers: $answers, ours: "[[method=ours; form=.1i]]"}

A reference names a row of a table (study, case, method, metric; what it lacks is that of the row, then of the defaults) and
a form: a format of Python, then ``i`` for the interval (and the values where they are fewer than five), ``b`` for both without
the number itself, ``r`` for the smallest and the largest seed, ``m`` for these alone, ``p`` for p, ``s`` for whether a
difference is above 0 (yes, no or inconclusive, by its interval and its corrected p), ``n`` for the number of
seeds, ``commit`` for the commit of the table, and ``k``, ``w`` and ``c`` as ``_until`` says. ``times`` scales;
``seeds=20-39`` is the median over these alone, and empty where none of them was run. A number that a table lacks is empty in
a table of a page and a fault elsewhere.
"""

import re

from experiments import command, missing
from experiments.pages import numbers, rest
from experiments.pages.plans import ROOT, Fields, cells, pages, path_of, read
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.spelling import unknown

_MARK = re.compile(r"<!--([^/\n][^\n]*?)-->(.*?)<!--/-->", re.DOTALL)


def main(page: str = "") -> None:
    """Writes the numbers of pages.

    Args:
        page: name of a page; empty: all.
    """
    names = pages()
    if page and page not in names:
        raise unknown("page", page, names)
    for name in [page] if page else names:
        before = path_of(name).read_text(encoding="utf-8")
        after = written(name, before)
        if after != before:
            atomic.write(path_of(name), after.encode())
        state = "as it was" if after == before else "written"
        print(f"{path_of(name).relative_to(ROOT)}: {len(_MARK.findall(after))} numbers and tables, {state}")


def written(name: str, text: str) -> str:
    """Returns a page's text with all marked numbers as the tables have them.

    Args:
        name: of the page.
        text: of the page.

    Raises:
        UserError: a marker has no meaning, a meaning has no marker, or a table has no such number.
    """
    defaults, singles, tables = read(name)
    marked = [match[1] for match in _MARK.finditer(text)]
    for unmarked in [each for each in (*singles, *tables) if each not in marked]:
        raise UserError(f"{name}.yaml names {unmarked!r}, which {path_of(name).name} does not mark", "mark it or leave it out")

    def fill(match: re.Match[str]) -> str:
        mark = match[1]
        if mark in tables:
            inside = "\n\n" + "\n".join(_lines(tables[mark], defaults)) + "\n\n"
        elif mark in singles:
            inside = numbers.fill(singles[mark], defaults)
            if not inside.strip():
                raise UserError(f"{mark!r} of {name}.yaml is in no table: {singles[mark]}", "correct its names")
        else:
            raise unknown("number", mark, [*singles, *tables])
        return f"<!--{mark}-->{inside}<!--/-->"

    return _MARK.sub(fill, text)


def _lines(table: Fields, defaults: Fields) -> list[str]:
    """Returns the lines of a table in markdown; ``goals``: of the rows that tables lack, ``rest``: of those on no page."""
    if "goals" in table:
        return list(missing.lines())
    if "rest" in table:
        return list(rest.lines())
    lines = [f"| {' | '.join(table['columns'])} |", "|" + "---|" * len(table["columns"])]
    for row in cells(table, defaults):
        lines.append("| " + " | ".join(numbers.fill(*cell) for cell in row) + " |")
    return lines


if __name__ == "__main__":
    command.run()
