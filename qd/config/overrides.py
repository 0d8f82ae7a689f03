"""What may be typed after ``qd run``: where the choices lie, which keys and names there are, and which was meant.

conf is ours, and the user's ./conf beside it. Hydra's errors are said as ours.
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

from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import MISSING, OmegaConf, ValidationError
from omegaconf.errors import OmegaConfBaseException

from qd.config import values
from qd.config.settings import EARLIER, DomainDefaults, Plateau, Settings
from qd.support.conf import conf
from qd.support.errors import UserError
from qd.support.moved import current_setting
from qd.support.spelling import nearest

SEEDS, SWEEP = "seeds=", ("-m", "--multirun")  # words of many seeds, and of a sweep
_PARTS = ("lm", "judge_lm", "grade", "judge", "domain", "descriptor", "archive", "emitter", "referee", "driver")


@cache
def register() -> None:
    """Makes the schema of the settings known to Hydra."""
    schema = OmegaConf.structured(Settings)
    for table in (schema, schema.domain_defaults, schema.plateau, schema.outside):
        OmegaConf.set_readonly(table, None)  # frozen is what is handed on, not what is typed into
    ConfigStore.instance().store(name="settings", node=schema)


@contextmanager
def opened() -> Iterator[None]:
    """Opens Hydra on our conf, and says its errors as ours."""
    register()
    with saying(), initialize_config_dir(str(conf()), version_base="1.3"):
        yield


@contextmanager
def saying() -> Iterator[None]:
    """Says Hydra's errors as ours: raises ValueError in their place."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_said(error)) from error


def prepared(overrides: list[str]) -> list[str]:
    """Returns what Hydra is given: parts take any key (what builds them knows which), and ./conf is searched too."""
    parts = re.compile(rf"({'|'.join(_PARTS)})\.[^=]*=")
    theirs = [] if any(o.startswith("hydra.searchpath=") for o in overrides) else _yours()
    return [f"++{o}" if parts.match(o) else o for o in map(_as_hydra_reads, overrides)] + theirs


def check(overrides: list[str]) -> None:
    """Raises ValueError on a misspelt key or an unknown choice of a group; sweeps are judged choice by choice.

    Hydra must be ``opened``.
    """
    loader, given = GlobalHydra.instance().config_loader(), prepared(overrides)

    def listed(group: str, kind: ObjectType) -> list[str]:
        return loader.get_group_options(group, kind, config_name="config", overrides=given)

    groups = listed("", ObjectType.GROUP)
    for override in OverridesParser.create().parse_overrides([_as_hydra_reads(override) for override in overrides]):
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        _check_key(key, groups)
        if key in groups and not override.is_delete():
            for choice in override.sweep_iterator() if override.is_sweep_override() else [override.value()]:
                below = "/".join([key, *str(choice).split("/")[:-1]])
                _check_choice(key, choice, listed(below, ObjectType.CONFIG))


def choices() -> str:
    """Lists what may be typed: a line for each group with its choices, then the settings."""
    groups = sorted(folder for folder in conf().iterdir() if folder.is_dir())
    width = max(len(group.name) for group in groups)
    lines = [f"  {group.name:{width}}  {', '.join(sorted(f.stem for f in group.glob('*.yaml')))}" for group in groups]
    names = [f.name for f in fields(Settings) if f.name not in {*EARLIER, *(group.name for group in groups)}]
    return "\n".join([*lines, "", f"  settings: {', '.join('from' if name == 'source' else name for name in names)}"])


def _as_hydra_reads(override: str) -> str:
    """Returns an override under the setting's name of now, and from=PATH as Hydra reads it.

    ``from`` can be no name in Python, and a run's folder has = and , in its name.
    """
    if not override.startswith("from="):
        return _under_its_name(override)
    path = override.removeprefix("from=")
    if not Path(path).exists():
        return f"source={path}"
    quoted = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"source='{quoted}'"


def _under_its_name(override: str) -> str:
    """Returns an override of an earlier version under its name of now, and prints once what to type."""
    key, equals, value = override.partition("=")
    plain = key.lstrip("+~")
    name = current_setting(plain)
    if name == plain:
        return override
    _print_renamed(plain, name)
    return f"{key[: len(key) - len(plain)]}{name}{equals}{value}"


@cache
def _print_renamed(before: str, now: str) -> None:
    print(f"qd: {before}= is now {now}=; the old word works in this version only", file=sys.stderr)


def _check_key(key: str, groups: Iterable[str]) -> None:
    top, _, rest = key.partition(".")
    known = {f.name for f in fields(Settings)} - set(EARLIER) | set(groups) - {"hydra"}
    if "/" not in top and top not in known:
        raise UserError(f"there is no setting {top!r}; there is {_listed(top, known)}")
    for name, table in (("domain_defaults", DomainDefaults), ("plateau", Plateau)):
        there = [f.name for f in fields(table)]
        if top == name and rest and rest.split(".")[0] not in there:
            raise UserError(f"there is no setting {key!r}; {name} has {nearest(rest, there)}")


def _check_choice(group: str, choice: Any, options: list[str]) -> None:
    if str(choice).split("/")[-1] in options or (choice is None and group == "recipe"):
        return
    raise UserError(f"there is no {group} {str(choice)!r}; there is {nearest(str(choice), options)}")


def _yours() -> list[str]:
    yours, ours = Path("conf").resolve(), conf()
    if not yours.is_dir() or yours == ours:
        return []
    for file in sorted(yours.glob("*/**/*.yaml")):
        twin = ours / file.relative_to(yours)
        if twin.exists() and not filecmp.cmp(file, twin, shallow=False):
            raise UserError(f"{file} has the name of one of our own choices, which would hide it", "rename it")
    return [f"hydra.searchpath=['file://{yours}']"]


def _said(error: BaseException) -> str:
    """Says a Hydra error in one line, with its cause."""
    ours = _unreadable(error) or _mistyped(error)
    if ours:
        return ours
    lines = str(error).splitlines()
    lines = lines[: 2 if lines[0].endswith(":") else 1] + (str(error.__cause__).splitlines()[:1] if error.__cause__ else [])
    said = ": ".join(line.rstrip(".:") for line in dict.fromkeys(lines))
    tables = {table.__name__: table for table in (Settings, DomainDefaults, Plateau)}
    unknown = re.search(rf"Key '(\w+)' not in '({'|'.join(tables)})'", said)
    if unknown:
        known = tables[unknown[2]]
        said += f"; there is {_listed(unknown[1], [f.name for f in fields(known)])}"
    return said


def _listed(name: str, known: Iterable[str]) -> str:
    return f"{nearest(name, sorted(known), most=3)}; qd run --help lists all"


def _unreadable(error: BaseException) -> str | None:
    """Says that an override is no key=value, or several values where one is wanted."""
    override = getattr(error, "override", None)
    listed = re.match(r"Ambiguous value for argument '(.*)'$", str(error).splitlines()[0])
    key, _, text = (listed[1] if listed else override or "").partition("=")
    if listed:
        return (
            f"{key}={text} lists values; type qd run -m {key}={text} for a sweep, {key}=[{text}] for a list, "
            f"or \"{key}='{text}'\" for text"
        )
    if override is None:
        return None
    quoted = f"{key}='{text}'" if " " in text and not set(text) & set("'[{") else "name='my run x'"
    return f'cannot read {override!r}; type key=value; blanks and signs in a value need inner quotes: type "{quoted}"'


def _mistyped(error: BaseException) -> str | None:
    """Says that a setting of the run is of another kind than what is typed."""
    typed = re.match(r"Error merging override (.*)", str(error))
    if not typed or not isinstance(error.__cause__, ValidationError):
        return None
    override = OverridesParser.create().parse_override(typed[1].rstrip("."))
    key = override.key_or_group
    top, _, name = key.rpartition(".")
    table = {"": Settings, "domain_defaults": DomainDefaults, "plateau": Plateau}.get(top)
    if table is None or name not in get_type_hints(table):
        return None
    defaults: Any = OmegaConf.to_container(OmegaConf.structured(table))
    return values.refused(
        key, override.value(), get_type_hints(table)[name], None if defaults[name] == MISSING else defaults[name]
    )
