"""Dotted names that moved between versions (conf/moved.yaml), so that old configs and old checkpoints still resolve."""

from functools import cache
from typing import Any

import yaml

from qd.support.conf import conf


def current(name: str) -> str:
    """Returns where a dotted name stands now; the name itself where it never moved."""
    return _replaced(name, _table())


def original(node: Any) -> Any:
    """Returns a config in which every ``_target_`` has its oldest name, so that a move changes no hash and no comparison."""
    if isinstance(node, dict):
        return {
            key: _replaced(value, _reversed()) if key == "_target_" and isinstance(value, str) else original(value)
            for key, value in node.items()
        }
    return [original(value) for value in node] if isinstance(node, list | tuple) else node


def _replaced(name: str, table: dict[str, str]) -> str:
    """Replaces the longest prefix that the table knows."""
    words = name.split(".")
    for length in range(len(words), 0, -1):
        there = table.get(".".join(words[:length]))
        if there is not None:
            return ".".join([there, *words[length:]])
    return name


@cache
def _table() -> dict[str, str]:
    return yaml.safe_load((conf() / "moved.yaml").read_text(encoding="utf-8"))


@cache
def _reversed() -> dict[str, str]:
    return {now: before for before, now in _table().items()}
