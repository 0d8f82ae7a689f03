"""Settings of runs whose components are built by hand."""

from typing import Any

from qd.config.settings import RunSettings


def run_settings(**settings: Any) -> RunSettings:
    """Returns settings with their defaults; nodes of components are empty unless they are given."""
    nodes: dict[str, Any] = {name: {} for name in ("domain", "descriptor", "archive", "emitter")} | {"driver": {"name": "host"}}
    return RunSettings(**{"name": "toy", "console": "off"} | nodes | settings)
