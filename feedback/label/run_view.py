"""What the page reads in a run folder: its map, its picture, its evaluations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from qd.support import moved, run_files


class Plan(NamedTuple):
    """The questions that a run will ask in all."""

    questions: int
    each: int  # raters of each question

    @property
    def answers(self) -> int:
        return self.questions * self.each


class Share(NamedTuple):
    """A share of answers, or of pairs of answers, that agree."""

    agree: int
    of: int  # in all

    def __str__(self) -> str:
        return f"{100 * self.agree / self.of:.0f} %" if self.of else "not yet"


def picture(run: Path) -> Path | None:
    """Returns the newest picture of the map: of the running search, or of its end."""
    final = next((path for path in (run / run_files.SHEET, run / run_files.HEATMAP) if path.is_file()), None)
    pictures = [path for path in (run / run_files.LIVE_PICTURE, final) if path is not None and path.is_file()]
    return max(pictures, key=lambda path: path.stat().st_mtime_ns, default=None)


def finished(run: Path) -> bool:
    """Whether the search has ended."""
    return (run / run_files.RESULT).is_file()


def evaluations(run: Path) -> int | None:
    """Returns the evaluations at the map of ``picture``, which is drawn some time after an archive; None where unknown."""
    is_live = picture(run) == run / run_files.LIVE_PICTURE
    header = _read(_live_header(run) if is_live else run / run_files.ARCHIVE_HEADER)
    return int(header[run_files.EVALUATIONS]) if run_files.EVALUATIONS in header else None


def of_map(run: Path) -> Share:
    """Returns the share of clear answers that the newest map agrees with, of those that it learned from."""
    return Share(*_read(_live_header(run)).get(run_files.AGREEMENT, (0, 0)))


def asks_raters(run: Path) -> bool:
    """Whether the judge in the run's config asks raters, or may ask them (a judge from outside this package)."""
    judge = _config(run).get("judge")
    targets = list(_targets(judge))
    return any(target.endswith(".People") or not target.startswith("feedback.") for target in targets)


def plan(run: Path) -> Plan | None:
    """Returns how many questions the run will ask, as many fits as its refit= allows.

    None where its descriptor has no ``questions_per_fit``, or a value is of another kind.
    """
    config = _config(run)
    questions = (config.get("descriptor") or {}).get("questions_per_fit")
    each = (config.get("judge") or {}).get("each", 1)
    if not isinstance(questions, list) or not isinstance(each, int) or not all(isinstance(n, int) for n in questions):
        return None
    return Plan(sum(questions[: _fits(config)]), each)


def _fits(config: dict[str, Any]) -> int | None:
    """Returns how often the descriptor will be fitted; None where the config leaves that open."""
    match config.get("refit", "unknown"):
        case None:
            return 1
        case int(every) if every > 0 and isinstance(config.get("budget"), int):
            return 1 + config["budget"] // every
        case list(points):
            return 1 + len(points)
    return None


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield moved.current(str(node["_target_"]))
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _targets(each)


def _config(run: Path) -> dict[str, Any]:
    """Returns the run's config with the settings' names of now; empty where there is none that can be read."""
    try:
        config = yaml.safe_load((run / run_files.CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return moved.current_config(config) if isinstance(config, dict) else {}


def _live_header(run: Path) -> Path:
    return run / run_files.LIVE / run_files.ARCHIVE_HEADER


def _read(header: Path) -> dict[str, Any]:
    """Returns the header of an archive; nothing where there is none, or it is being written."""
    try:
        return json.loads(header.read_bytes())
    except (OSError, ValueError):
        return {}
