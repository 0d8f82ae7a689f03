"""How long the page of a run takes to write; light to import."""

from pathlib import Path

from qd.support import run_files

_LIGHT = 8_000_000  # bytes to read: the page of 1.8 MB took 0.08 CPU-seconds, so these take less than half a second


def is_light(run: Path) -> bool:
    """Whether the page of a run is written in less than a second, by the sizes of the files that it shows."""
    names = (run_files.ARCHIVE, run_files.HISTORY, run_files.METRICS, run_files.EVENTS)
    pictures = run / run_files.RENDERINGS
    files = [run / name for name in names] + (list(pictures.iterdir()) if pictures.is_dir() else [])
    return sum(file.stat().st_size for file in files if file.is_file()) <= _LIGHT
