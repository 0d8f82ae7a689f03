"""What shared parts did and spent, told at the end of a run: those that offer ``report() -> rows``, a dict for each role."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qd import abilities
from qd.report.table import align


@contextmanager
def told(services: Sequence[Any], say: Callable[[str], None]) -> Iterator[None]:
    """Tells their reports when the work ends, however it ends, and closes them where they can be closed."""
    try:
        yield
    finally:
        for service in services:
            for line in table(service.report()):
                say(line)
            abilities.of_service(service).close()


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Returns rows as lines of aligned columns; what is not a number or text is left out."""
    columns = [name for name in (rows[0] if rows else {}) if isinstance(rows[0][name], str | int | float)]
    cells = [[name.replace("_", " ") for name in columns], *([_cell(row.get(name, "")) for name in columns] for row in rows)]
    return align(cells, ">") if columns else []


def _cell(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
