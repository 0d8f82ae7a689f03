"""What conf adds to commands by name: commands of other packages, exporters of domains, columns of tables, titles of axes.

All but the titles name dotted paths, which are imported on use.
"""

from pathlib import Path
from typing import Any

import yaml

from qd.support.conf import conf

TABLES = ("csv", "parquet", "jsonl")  # formats of qd export that need no exporter


def commands() -> dict[str, dict[str, str]]:
    """Returns command -> what to call with the words after it (``_target_``), and ``what`` it does."""
    return _read(conf() / "commands.yaml")


def exporters() -> dict[str, dict[str, str]]:
    """Returns format -> what to call (``_target_``), for which ``domain``, and ``what`` it is."""
    return _read(conf() / "exports.yaml")


def columns() -> dict[str, Any]:
    """Returns choice -> node to build, ours and those of the user's conf beside it; ours win."""
    return _read(Path("conf/columns.yaml")) | _read(conf() / "columns.yaml")


def axis_titles() -> dict[str, dict[str, list[str]]]:
    """Returns domain (dotted path) -> feature -> a title with its unit for each column."""
    return _read(conf() / "axis_titles.yaml")


def _read(file: Path) -> dict[str, Any]:
    return (yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}
