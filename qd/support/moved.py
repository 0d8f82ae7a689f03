"""Names of earlier versions: modules that moved (conf/moved.yaml) and settings that were renamed (conf/renamed.yaml).

Old configs, old checkpoints and the words that users are used to still resolve.
"""

from functools import cache
from typing import Any

from qd.support.conf import conf, table


def current(name: str) -> str:
    """Returns where a dotted name stands now; the name itself where it never moved."""
    return _resolve(name, _table())


@cache
def current_override(override: str) -> str:
    """Returns an override KEY=VALUE under the setting's name of now; + and ~ before it stay."""
    return _rename_key(override, _settings())


def original_override(override: str) -> str:
    """Returns an override KEY=VALUE under the oldest name of the setting."""
    return _rename_key(override, _reverse_settings())


def current_setting(key: str) -> str:
    """Returns what a setting is called now, e.g. refit for relearn; the key itself where it was never renamed."""
    return _replace(key, _settings())


def current_config(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a stored config with the settings' names of now."""
    return _rename(config, _settings())


def earlier_settings(config: dict[str, Any]) -> dict[str, str]:
    """Returns settings of components in a config that have a name of an earlier version -> their name now."""
    keys = (f"{key}.{name}" for key, value in config.items() if isinstance(value, dict) for name in value)
    return {key: now for key in keys if (now := _replace(key, _settings())) != key}


def original(config: dict[str, Any]) -> dict[str, Any]:
    """Returns a config in which everything has its oldest name, so that a new name changes no hash and no comparison."""
    return _with_original_targets(_rename(config, _reverse_settings()))


def _with_original_targets(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _resolve(value, _reverse_table())
            if key == "_target_" and isinstance(value, str)
            else _with_original_targets(value)
            for key, value in node.items()
        }
    return [_with_original_targets(value) for value in node] if isinstance(node, list | tuple) else node


def _rename(config: dict[str, Any], table: dict[str, str]) -> dict[str, Any]:
    """Renames the keys of a config, and those of its components."""
    renamed = {}
    for key, value in config.items():
        if isinstance(value, dict):
            value = {_replace(f"{key}.{name}", table).rpartition(".")[2]: each for name, each in value.items()}
        renamed[table.get(key, key)] = value
    return renamed


def _rename_key(override: str, table: dict[str, str]) -> str:
    key, equals, value = override.partition("=")
    name = key.lstrip("+~")
    return f"{key[: len(key) - len(name)]}{_replace(name, table)}{equals}{value}"


def _resolve(name: str, table: dict[str, str]) -> str:
    """Follows a name that moved more than once."""
    there = _replace(name, table)
    return name if there == name else _resolve(there, table)


def _replace(name: str, table: dict[str, str]) -> str:
    """Replaces the longest prefix that the table has."""
    words = name.split(".")
    for length in range(len(words), 0, -1):
        there = table.get(".".join(words[:length]))
        if there is not None:
            return ".".join([there, *words[length:]])
    return name


@cache
def _table() -> dict[str, str]:
    return table(conf() / "moved.yaml")


@cache
def _reverse_table() -> dict[str, str]:
    return {now: before for before, now in _table().items()}


@cache
def _settings() -> dict[str, str]:
    return table(conf() / "renamed.yaml")


@cache
def _reverse_settings() -> dict[str, str]:
    return {now: before for before, now in _settings().items()}
