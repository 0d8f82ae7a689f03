"""Tables of a comparison: for the terminal, as csv in long form and as LaTeX."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qd.report import table
from qd.report.compare.contrasts import COSTS, OUTCOMES, Contrast
from qd.report.table import Row
from qd.support import atomic

SHOWN = (*OUTCOMES, *COSTS)


def write(folder: Path, rows: Sequence[Row], contrasts: Sequence[Contrast], own: Sequence[str] = ()) -> list[Path]:
    """Writes table.csv and table.tex; and comparisons.csv and comparisons.tex where there is anything to compare.

    Args:
        folder: which exists.
        rows: of all methods.
        contrasts: of all pairs.
        own: the recipes' own metrics, which table.tex shows too.

    Returns:
        The files.
    """
    table.write(folder / "table.csv", rows)
    atomic.write(folder / "table.tex", latex_of_rows(rows, own).encode())
    paths = [folder / "table.csv", folder / "table.tex"]
    if contrasts:
        atomic.write(folder / "comparisons.csv", csv_text(Contrast, contrasts).encode())
        atomic.write(folder / "comparisons.tex", latex(contrasts).encode())
        paths += [folder / "comparisons.csv", folder / "comparisons.tex"]
    return paths


def csv_text(kind: type[Row] | type[Contrast], rows: Sequence[Row] | Sequence[Contrast]) -> str:
    """Returns rows as csv, numbers in six significant digits.

    Args:
        kind: its fields are the head.
        rows: of that kind.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(kind._fields)
    writer.writerows([[f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows])
    return buffer.getvalue()


def latex_of_rows(rows: Sequence[Row], own: Sequence[str] = ()) -> str:
    """Lays the means of final figures out as a LaTeX tabular (booktabs).

    Args:
        rows: of all methods.
        own: the recipes' own metrics, shown too.
    """
    recorded = {row.metric for row in rows}
    columns = tuple(name for metric in (*SHOWN, *own) if (name := f"{metric}_mean") in recorded)
    return table.latex(list(rows), columns, digits=2) + "\n"


def latex(contrasts: Sequence[Contrast]) -> str:
    """Lays contrasts out as a LaTeX tabular (booktabs); differences that are found are bold."""
    head = ["case", "metric", "difference", "mean [95\\,\\%]", "$p$ (Holm)", "$g$", "$n$"]
    lines = [r"\begin{tabular}{lllrrrr}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    for each in contrasts:
        middle = number(each.difference, each.low, each.high, digits=2)
        words = [each.case, each.metric, f"{each.a} - {each.b}"]
        cells = [rf"\textbf{{{middle}}}" if each.p_holm < 0.05 else middle, _tex(p_text(each.p_holm)), _digits(each.effect)]
        lines.append(" & ".join([*map(table.tex, words), *cells, seeds_text(each)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def show(rows: Sequence[Row], contrasts: Sequence[Contrast], own: Sequence[str] = ()) -> None:
    """Prints final figures and differences.

    Args:
        rows: of all methods.
        contrasts: of all pairs; none: only the figures are printed.
        own: the recipes' own metrics.
    """
    cells = {(row.case, row.method, row.metric): row for row in rows}
    figures = _grid("case", "method", "metric", "mean [95 %]", "median [95 %]", "seeds")
    for case, method in dict.fromkeys((row.case, row.method) for row in rows):
        for metric in (*SHOWN, *own):
            mean, median = (cells.get((case, method, f"{metric}_{name}")) for name in ("mean", "median"))
            if mean and median:
                texts = [number(row.value, row.low, row.high) for row in (mean, median)]
                figures.add_row(Text(case), Text(method), metric, *map(Text, texts), str(mean.n))
    console = Console()
    console = Console(width=console.width if console.is_terminal else 160)
    console.print(figures)
    if contrasts:
        print()
        differences = _grid("metric", "difference", "mean [95 %]", "p (Holm)", "effect g", "seeds", "in words")
        for each in contrasts:
            texts = [number(each.difference, each.low, each.high), p_text(each.p_holm), _digits(each.effect), seeds_text(each)]
            differences.add_row(each.metric, Text(f"{each.a} - {each.b}"), *map(Text, texts), Text(each.words))
        console.print(differences)


def _grid(*heads: str) -> Table:
    grid, words = Table(box=None, pad_edge=False), ("case", "method", "metric", "difference", "in words")
    for head in heads:
        wraps = head in ("method", "difference", "in words")
        grid.add_column(head, justify="left" if head in words else "right", no_wrap=not wraps)
    return grid


def number(value: float, low: float, high: float, digits: int | None = None) -> str:
    """Returns "value [low, high]", or the value alone where there is no interval.

    Args:
        value: the middle.
        low: of its interval; NaN: there is none.
        high: of its interval.
        digits: decimals; None: four significant digits.
    """
    form = ".4g" if digits is None else f".{digits}f"
    return f"{value:{form}}" + ("" if np.isnan(low) else f" [{low:{form}}, {high:{form}}]")


def p_text(p: float) -> str:
    """Returns a p-value in three digits at most."""
    return "-" if np.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def seeds_text(contrast: Contrast) -> str:
    """Returns the seeds of a contrast: one number where they are paired, else those of both methods."""
    return f"{contrast.n} paired" if contrast.paired else f"{contrast.n} and {contrast.m}"


def _digits(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _tex(words: str) -> str:
    return words.replace("<", "$<$")
