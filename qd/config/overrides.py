"""What may be typed after ``qd run``: where the choices lie, which keys and names there are, and what a typo meant.

conf is ours, and the user's ./conf beside it. Hydra's errors become UserErrors.
"""

import filecmp
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import MISSING, OmegaConf, ValidationError
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

from qd.config import guess, hints, values
from qd.config.settings import COMPONENTS, EARLIER, DomainDefaults, Outside, Plateau, Settings
from qd.config.workers import RemoteSettings
from qd.support.conf import conf
from qd.support.errors import UserError
from qd.support.moved import current_override
from qd.support.spelling import unknown

SEEDS, SWEEP = "seeds=", ("-m", "--multirun")  # words of many seeds, and of a sweep
_LISTER = "qd run --help"
_DECEPTIVE = re.compile(r"[-+]?0[0-7_]+|[-+\d_.]+(:\d+)+\.?\d*")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_SETTINGS = {f.name for f in fields(Settings)} - set(EARLIER)
_TABLES: dict[str, Any] = {"domain_defaults": DomainDefaults, "plateau": Plateau, "outside": Outside, "remote": RemoteSettings}


@cache
def register() -> None:
    """Makes the schema of the settings known to Hydra."""
    schema = OmegaConf.structured(Settings)
    for table in (schema, schema.domain_defaults, schema.plateau, schema.outside, schema.remote):
        OmegaConf.set_readonly(table, None)  # frozen is what is handed on, not what is typed into
    ConfigStore.instance().store(name="settings", node=schema)


@contextmanager
def open_hydra() -> Iterator[None]:
    """Opens Hydra on our conf, and turns its errors into ours."""
    register()
    with translate_errors(), initialize_config_dir(str(conf()), version_base="1.3"):
        yield


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns Hydra's errors, and those of a yaml that cannot be read, into UserErrors."""
    try:
        yield
    except MarkedYAMLError as error:
        raise UserError(_broken_yaml(error), "correct that line, or the one before it") from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_message(error)) from error


def hydra_overrides(overrides: list[str]) -> list[str]:
    """Returns Hydra's overrides: components take any key (checked when they are built), and ./conf is searched too."""
    components = re.compile(rf"({'|'.join(COMPONENTS)})\.[^=]*=")
    theirs = [] if any(o.startswith("hydra.searchpath=") for o in overrides) else _yours()
    return [f"++{o}" if components.match(o) else o for o in _as_hydra_reads(overrides)] + theirs


def check(overrides: list[str]) -> None:
    """Raises ValueError on a misspelt key or an unknown choice of a group; sweeps are judged choice by choice.

    Hydra must be open: ``open_hydra``.
    """
    loader, arguments = GlobalHydra.instance().config_loader(), hydra_overrides(overrides)

    def options(group: str, kind: ObjectType) -> list[str]:
        return loader.get_group_options(group, kind, config_name="config", overrides=arguments)

    known = guess.options()  # Hydra, which reads all words again, is asked only for what is not among these
    for override in OverridesParser.create().parse_overrides(_as_hydra_reads(overrides)):
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        groups = known if key.partition(".")[0] in {*known, *_SETTINGS} else options("", ObjectType.GROUP)
        _check_key(key, groups)
        if override.is_delete() and not isinstance(override.value(), str | None):
            raise UserError(f"cannot read {override.input_line!r}", f"type ~{key}")
        if key in groups and not override.is_delete():
            for choice in override.sweep_iterator() if override.is_sweep_override() else [override.value()]:
                if str(choice) in known.get(key, ()):
                    continue
                below = "/".join([key, *str(choice).split("/")[:-1]])
                _check_choice(key, choice, options(below, ObjectType.CONFIG))


def _as_hydra_reads(overrides: list[str]) -> list[str]:
    """Returns overrides under the settings' names of now, and from=PATH as Hydra reads it; prints each old name once.

    ``from`` can be no name in Python, and a run's folder has = and , in its name.
    """
    current = [current_override(override) for override in overrides]
    for before, now in zip(overrides, current, strict=True):
        if before != now:
            print_renamed(_key(before), _key(now))
    return [_as_source(override) if override.startswith("from=") else override for override in current]


def _as_source(override: str) -> str:
    path = override.removeprefix("from=")
    if not Path(path).exists():
        return f"source={path}"
    quoted = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"source='{quoted}'"


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


@cache
def print_renamed(before: str, now: str) -> None:
    """Prints once what to type for a setting of an earlier version.

    Args:
        before: its name then, e.g. relearn.
        now: its name now.
    """
    print(f"qd: {before}= is now {now}=; the old word works in this version only", file=sys.stderr)


def _check_key(key: str, groups: Iterable[str]) -> None:
    top, _, rest = key.partition(".")
    names = _SETTINGS | set(groups) - {"hydra"}
    if "/" not in top and top not in names:
        raise hints.nearest(top, names) or unknown("setting", top, sorted(names), lister=_LISTER)
    for name, table in _TABLES.items():
        names = [f.name for f in fields(table)]
        if top == name and rest and rest.split(".")[0] not in names:
            raise unknown("setting", key, [f"{name}.{each}" for each in names])


def _check_choice(group: str, choice: Any, options: list[str]) -> None:
    if choice is None and group in ("domain", "descriptor", "archive", "emitter"):
        raise UserError(
            f"{group}=null chooses no {group}, and a run needs one", f"type another {group}=..., or leave out {group}=null"
        )
    if str(choice).split("/")[-1] in options or (choice is None and group == "recipe"):
        return
    raise unknown(group, str(choice), options, lister=_LISTER)


def _yours() -> list[str]:
    yours, ours = Path("conf").resolve(), conf()
    if not yours.is_dir() or yours == ours:
        return []
    for file in sorted(yours.glob("*/**/*.yaml")):
        twin = ours / file.relative_to(yours)
        if twin.exists() and not filecmp.cmp(file, twin, shallow=False):
            raise UserError(f"{file} has the name of one of our own choices, which would hide it", "rename it")
        _check_numbers(file)
    return [f"hydra.searchpath=['file://{yours}']"]


def _check_numbers(file: Path) -> None:
    """Refuses numbers of a yaml that YAML 1.1 reads as another than they look: 010 as 8, 1:30 as 90."""
    try:
        nodes = [yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)]
    except (yaml.YAMLError, UnicodeDecodeError):
        return  # Hydra names it where it is used
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and _DECEPTIVE.fullmatch(node.value):
            number, line = yaml.safe_load(node.value), node.start_mark.line + 1
            plain = number if ":" in node.value else node.value.lstrip("+-0") or 0
            raise UserError(
                f"{file} line {line}: {node.value} is {number} in YAML", f"type '{node.value}' for text, or {plain}"
            )


def count_seeds(texts: list[str]) -> int:
    """Returns the number of seeds that seeds= states.

    Args:
        texts: what was typed after seeds=, each time.

    Raises:
        UserError: it is no whole number of 1 or more, or stated twice.
    """
    if len(texts) != 1 or not texts[0].isdecimal() or int(texts[0]) < 1:
        raise UserError(f"seeds={','.join(texts)} is no number of seeds", "type seeds=20, or -m seed=0,3,7 for chosen ones")
    return int(texts[0])


def conf_state() -> tuple[tuple[str, int, int], ...]:
    """Returns path, time of the last change and size of each of our own yaml files."""
    files = ((path, path.stat()) for path in sorted(conf().rglob("*.yaml")))
    return tuple((str(path), status.st_mtime_ns, status.st_size) for path, status in files)


def _broken_yaml(error: MarkedYAMLError) -> str:
    mark, problem = error.problem_mark, " ".join(str(error.problem).split())
    if mark is None:
        return f"a yaml cannot be read: {problem}"
    file = Path(mark.name)
    shown = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file
    return f"{shown} line {mark.line + 1}: {problem}"


def _message(error: BaseException) -> str:
    """Returns a Hydra error in one line, with its cause."""
    ours = _unreadable(error) or _wrong_kind(error)
    if ours:
        return ours
    lines = str(error).splitlines()
    lines = lines[: 2 if lines[0].endswith(":") else 1] + (str(error.__cause__).splitlines()[:1] if error.__cause__ else [])
    text = ": ".join(line.rstrip(".:") for line in dict.fromkeys(lines))
    tables = {table.__name__: table for table in (Settings, *_TABLES.values())}
    match = re.search(rf"(.*)Key '(\w+)' not in '({'|'.join(tables)})'", text)
    if match:
        where, key, table = match.groups()
        if file := re.match(rf"In '({key}/.*?)'", where):  # its settings lie below its group
            return str(lacks_first_line(file[1]))
        return where + str(unknown("setting", key, sorted(f.name for f in fields(tables[table])), lister=_LISTER))
    return text


def lacks_first_line(choice: str) -> UserError:
    """Returns the error about a yaml, GROUP/NAME, that lacks its first line: its settings lie one level too deep."""
    return UserError(f"conf/{choice}.yaml does not begin with # @package _global_", "add that line at its top")


def _unreadable(error: BaseException) -> str | None:
    """The message about an override that is no key=value, or lists several values where one is expected."""
    override = getattr(error, "override", None)
    ambiguous = re.match(r"Ambiguous value for argument '(.*)'$", str(error).splitlines()[0])
    key, _, text = (ambiguous[1] if ambiguous else override or "").lstrip("+").partition("=")
    if ambiguous:
        return (
            f"{key}={text} lists values; type qd run -m {key}={text} for a sweep, {key}=[{text}] for a list, "
            f"or \"{key}='{text}'\" for text"
        )
    sweep = re.match(r"Sweep parameters '(.*)' requires", str(error).splitlines()[0])
    if sweep:
        words = sweep[1].lstrip("+")
        return f"{words} lists values; type qd run -m {words}"
    if override is None:
        return None
    word = f"{key.strip()}={text.strip(' =')}"
    if re.fullmatch(r"[\w.@/]*\w=[\w.+-]+", word):  # only its blanks and signs of equality are too many
        return f"cannot read {override.lstrip('+')!r}; type {word}"
    quoted = f"{key}='{text}'" if " " in text and not set(text) & set("'\"[{") else "name='my run x'"
    return f'cannot read {override.lstrip("+")!r}; type KEY=VALUE, with inner quotes around blanks and signs: "{quoted}"'


def _wrong_kind(error: BaseException) -> str | None:
    """The message about a value of another type than its setting."""
    match = re.match(r"Error merging override (.*)", str(error))
    if not match or not isinstance(error.__cause__, ValidationError):
        return None
    override = OverridesParser.create().parse_override(match[1].rstrip("."))
    key = override.key_or_group
    top, _, name = key.rpartition(".")
    table = ({"": Settings} | _TABLES).get(top)
    if table is None or name not in get_type_hints(table):
        return None
    defaults: Any = OmegaConf.to_container(OmegaConf.structured(table))
    return values.mismatch(
        key, override.value(), get_type_hints(table)[name], None if defaults[name] == MISSING else defaults[name]
    )
