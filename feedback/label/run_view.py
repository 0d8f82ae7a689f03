"""What the page reads in a run folder: its map, its picture, its evaluations."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from qd.support import run_files


class Share(NamedTuple):
    """So many of so many pairs of answers agree."""

    agree: int
    of: int

    def __str__(self) -> str:
        return f"{100 * self.agree / self.of:.0f} %" if self.of else "not known yet"


def picture(run: Path) -> Path | None:
    """Returns the newest picture of the map: from the search that goes on, or from its end."""
    final = next((path for path in (run / run_files.SHEET, run / run_files.HEATMAP) if path.is_file()), None)
    pictures = [path for path in (run / run_files.LIVE_PICTURE, final) if path is not None and path.is_file()]
    return max(pictures, key=lambda path: path.stat().st_mtime_ns, default=None)


def finished(run: Path) -> bool:
    """Whether the search has come to its end."""
    return (run / run_files.RESULT).is_file()


def evaluations(run: Path) -> int | None:
    """Returns how many evaluations the newest map was drawn after."""
    final = run / run_files.ARCHIVE_HEADER
    headers = [path for path in (_live_header(run), final) if path.is_file()]
    header = _read(max(headers, key=lambda path: path.stat().st_mtime_ns, default=final))
    return int(header[run_files.EVALUATIONS]) if run_files.EVALUATIONS in header else None


def of_map(run: Path) -> Share:
    """Returns how many clear answers the newest map agrees with, of those that it was learned from."""
    return Share(*_read(_live_header(run)).get(run_files.AGREEMENT, (0, 0)))


def _live_header(run: Path) -> Path:
    return run / run_files.LIVE / run_files.ARCHIVE_HEADER


def _read(header: Path) -> dict[str, Any]:
    """Returns the header of an archive; nothing where there is none, or it is being written."""
    try:
        return json.loads(header.read_bytes())
    except (OSError, ValueError):
        return {}
