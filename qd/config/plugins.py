"""What conf adds to commands by name: commands of other packages, exporters of domains, columns of tables, titles of axes.

All but the titles name dotted paths, which are imported on use.
"""

from pathlib import Path
from typing import Any

from qd.support.conf import conf, table

TABLES = ("csv", "parquet", "jsonl")  # formats of qd export that need no exporter


def commands() -> dict[str, dict[str, str]]:
    """Returns command -> what to call with the words after it (``_target_``), and ``what`` it does."""
    return table(conf() / "commands.yaml")


def exporters() -> dict[str, dict[str, str]]:
    """Returns format -> what to call (``_target_``), for which ``domain``, and ``what`` it is."""
    return table(conf() / "exports.yaml")


def columns() -> dict[str, Any]:
    """Returns choice -> node to build, ours and those of the user's conf beside it; ours win."""
    return table(Path("conf/columns.yaml")) | table(conf() / "columns.yaml")


def axis_titles() -> dict[str, dict[str, list[str]]]:
    """Returns domain (dotted path) -> feature -> a title with its unit for each column."""
    return table(conf() / "axis_titles.yaml")
