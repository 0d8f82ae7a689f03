"""What the page reads in a run folder: its map, its picture, its evaluations."""

import json
from pathlib import Path
from typing import Any, NamedTuple


class Share(NamedTuple):
    """So many of so many pairs of answers agree."""

    agree: int
    of: int

    def __str__(self) -> str:
        return f"{100 * self.agree / self.of:.0f} %" if self.of else "not known yet"


def picture(run: Path) -> Path | None:
    """Returns the newest picture of the map: from the search that goes on, or from its end."""
    now, *end = run / "now" / "map.png", run / "figures" / "sheet.png", run / "figures" / "heatmap.png"
    last = next((path for path in end if path.is_file()), None)
    there = [path for path in (now, last) if path is not None and path.is_file()]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)


def finished(run: Path) -> bool:
    """Whether the search has come to its end."""
    return (run / "result.json").is_file()


def evaluations(run: Path) -> int | None:
    """Returns how many evaluations the newest map was drawn after."""
    paths = [path for path in (run / "now" / "archive.json", run / "archive.json") if path.is_file()]
    found = _said(max(paths, key=lambda path: path.stat().st_mtime_ns, default=run / "archive.json"))
    return int(found["evaluations"]) if "evaluations" in found else None


def of_map(run: Path) -> Share:
    """Returns how many clear answers the newest map agrees with, of those that it was learned from."""
    return Share(*_said(run / "now" / "archive.json").get("agreement", (0, 0)))


def _said(about: Path) -> dict[str, Any]:
    """Returns what is written of a map; nothing where there is none, or it is being written."""
    try:
        return json.loads(about.read_bytes())
    except (OSError, ValueError):
        return {}
