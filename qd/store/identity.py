"""What makes a run this run: its config, the source of its parts, and the versions it ran on."""

import dataclasses
import hashlib
import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from qd.support import provenance
from qd.support.moved import current_config, original

_LEFT_OUT = (
    "runs",
    "console",
    "budget",
    "again",
    "live_map",
    "map_picture",
    "save_seconds",
    "log",
    "yes",
)  # they change where or how long, never what
_LEFT_OUT_ANYWHERE = "workers"
_OF_WORKERS = ("chunk",)  # of remote: what may change an evaluation, by rounding
_MODELS, _LEFT_OUT_OF_MODELS = ("lm", "judge_lm"), ("budget", "limits", "cache", "price", "mode", "key_variable")
ORIGIN = ("evaluations", "seed", "config_hash", "versions", "commit")
_DECIDING = ("ribs", "numpy", "jax")  # another version of these may read a checkpoint wrongly, or round otherwise


def config_hash(config: dict) -> str:
    """Returns 16 hex digits of all in a config that decides what is found."""
    text = json.dumps(_deciding(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: dict, new: dict) -> list[str]:
    """Lists the deciding settings that differ, e.g. 'emitter.batch_size was 64 and is now 128'.

    Args:
        old: config of the run that is there.
        new: config to compare with it.

    Returns:
        A text for each such setting, by name; none where both decide the same.
    """
    was, now = (_flat(current_config(_deciding(config))) for config in (old, new))
    names = [name for name in sorted({**was, **now}) if was.get(name, "absent") != now.get(name, "absent")]
    return [f"{name} was {was.get(name, 'absent')} and is now {now.get(name, 'absent')}" for name in names]


@cache
def versions() -> dict[str, str | None]:
    """Returns the versions that a checkpoint depends on."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"python": python} | {name: provenance.version(name) for name in _DECIDING}


def origin(config: dict[str, Any], evaluations: int) -> dict[str, Any]:
    """Returns the provenance that a run's result and its archive hold.

    Args:
        config: of the run, with its seed.
        evaluations: done so far.

    Returns:
        The entries of ``ORIGIN``: evaluations, seed, config_hash, versions and commit.
    """
    values = evaluations, config["seed"], config_hash(config), versions(), provenance.commit()
    return dict(zip(ORIGIN, values, strict=True))


def fingerprint(*parts: Any) -> dict[str, str]:
    """Returns module -> hash of the source file, for the classes of the parts and of all parts inside them."""
    files: dict[str, str] = {}
    for part in parts:
        _visit(part, files)
    return dict(sorted(files.items()))


def changed_modules(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Names the modules that differ in their source.

    Args:
        old: module -> hash, as ``fingerprint`` returns it.
        new: the same of now.

    Returns:
        Names in alphabetical order, those of modules that only one of the two has among them.
    """
    return [name for name in sorted({**old, **new}) if old.get(name) != new.get(name)]


def _deciding(config: dict) -> dict:
    deciding = {name: value for name, value in current_config(config).items() if name not in _LEFT_OUT}
    for model in [name for name in _MODELS if isinstance(deciding.get(name), dict)]:
        deciding[model] = {name: value for name, value in deciding[model].items() if name not in _LEFT_OUT_OF_MODELS}
    if isinstance(deciding.get("remote"), dict):
        deciding["remote"] = {name: value for name, value in deciding["remote"].items() if name in _OF_WORKERS}
    return _without_workers(original(deciding))


def _without_workers(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(name): _without_workers(value) for name, value in node.items() if name != _LEFT_OUT_ANYWHERE}
    return [_without_workers(value) for value in node] if isinstance(node, list | tuple) else node


def _flat(node: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(node, dict):
        return {prefix[:-1]: json.dumps(node)}
    flat: dict[str, str] = {}
    for name, value in node.items():
        flat |= _flat(value, f"{prefix}{name}.")
    return flat


def _visit(part: Any, files: dict[str, str]) -> None:
    if isinstance(part, tuple | list):
        for item in part:
            _visit(item, files)
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        _add(type(part), files)
        for field in dataclasses.fields(part):
            if field.metadata.get("decides", True):  # not where a domain is evaluated
                _visit(getattr(part, field.name), files)
    elif inspect.isfunction(part):
        _add(part, files)
    elif type(part).__module__ not in ("builtins", "numpy"):
        _add(type(part), files)


def _add(thing: Any, files: dict[str, str]) -> None:
    try:
        source = inspect.getsourcefile(thing)
    except TypeError:  # built in, or typed at a prompt
        source = None
    if source is not None and Path(source).is_file():
        files[thing.__module__] = hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16]
