"""What may be typed after ``qd run``, a line each: choices of each group, settings with the values that a run would get.

The comment beside each setting explains it: it is read from the source, so that no component is imported.
"""

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING as REQUIRED
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import MISSING

from qd.config import guess
from qd.config import settings as run_settings
from qd.config.declared import source_file
from qd.config.values import format_value
from qd.support.conf import conf

_TABLES = {"domain_defaults": run_settings.DomainDefaults, "plateau": run_settings.Plateau, "outside": run_settings.Outside}
_WIDTH, _KEY = 128, 30  # characters of a line; of KEY=DEFAULT in it


class Setting(NamedTuple):
    """A setting as it stands in the source of a class."""

    name: str
    default: str  # as it is typed; empty where it must be typed
    meaning: str  # the comment beside it


class Choices(NamedTuple):
    """What words after ``qd run`` choose."""

    names: dict[str, str | None]  # group -> choice; None: none
    values: dict[str, Any]  # settings of the run, and a node for each component, as their files set them


def explain(words: Sequence[str] = ()) -> str:
    """Returns the choices of each group and the settings of a run, then those of the components that the words choose.

    Args:
        words: as typed, e.g. "domain=quant"; what is no GROUP=CHOICE is skipped.

    Returns:
        Lines of text.
    """
    names, values = read_choices(words)
    lines = ["GROUP=DEFAULT, and what else may be chosen:", *_groups(names)]
    lines += ["", "SETTING=DEFAULT of the run:", *_run_settings(values)]
    for group, _, choice in (word.partition("=") for word in words):
        if _file_of(group, choice) and isinstance(values.get(group), dict):
            lines += ["", f"SETTING=DEFAULT of {group}={choice}:", *_node(group, values[group])]
    return "\n".join(lines)


def read_choices(words: Sequence[str] = ()) -> Choices:
    """Returns what words choose, and what the files of these choices set.

    Hydra, which composes a run, takes longer than a help may. Later wins, as there: primary defaults, domain, recipe, words.

    Args:
        words: as typed, e.g. "domain=quant"; what is no GROUP=CHOICE is skipped.
    """
    primary = yaml.safe_load((conf() / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    names = {
        key.removeprefix("optional "): value for entry in primary if isinstance(entry, dict) for key, value in entry.items()
    }
    typed = {group: choice for group, _, choice in (word.partition("=") for word in words) if _file_of(group, choice)}
    overridden: dict[str, str] = {}
    for group in reversed(names):  # a recipe may choose the domain, a domain the emitter, a descriptor the judge
        names[group] = typed.get(group) or overridden.get(group, names[group])
        for file in _files(group, names[group]):
            for other, choice in _overrides(_content(file)):
                overridden.setdefault(other, choice)
    values: dict[str, Any] = {}
    for group, choice in names.items():
        for file in reversed(list(_files(group, choice))):
            content = {key: value for key, value in _content(file).items() if key != "defaults"}
            _merge(values, content if _is_global(file) else {group: content})
    return Choices(names, values)


def comments(source: str, class_name: str) -> list[Setting]:
    """Returns the settings of a dataclass, each with the comment beside it.

    Args:
        source: of its module.
        class_name: of the class.

    Returns:
        Its annotated fields, in order; empty where the module defines no such class.
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    notes = {token.start[0]: token.string.split("# ")[-1] for token in tokens if token.type == tokenize.COMMENT}
    settings = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    note = next((notes[i] for i in range(line.lineno, (line.end_lineno or line.lineno) + 1) if i in notes), "")
                    settings.append(Setting(line.target.id, _typed(line.value), note.replace("None", "null")))
    return settings


def _groups(defaults: Mapping[str, Any]) -> Iterator[str]:
    for group, choices in guess.options().items():
        default = defaults.get(group)
        others = ", ".join(choice for choice in choices if choice != default)
        yield from _paragraph(f"  {f'{group}={format_value(default)}':21} ", others)


def _run_settings(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each setting, with the value of the chosen files where they set it."""
    source = Path(run_settings.__file__).read_text(encoding="utf-8")
    meanings = {name: {each.name: each.meaning for each in comments(source, name)} for name in _classes()}
    groups = {*guess.options(), *run_settings.COMPONENTS, *run_settings.EARLIER}
    for field in fields(run_settings.Settings):
        if field.name in groups:
            continue
        if field.name in _TABLES:
            table = _TABLES[field.name]
            for each in fields(table):
                default = _default(each, values.get(field.name) or {})
                yield from _line(f"{field.name}.{each.name}", default, meanings[table.__name__][each.name])
            continue
        meaning = meanings["Settings"].get(field.name) or meanings["RunSettings"].get(field.name, "")
        yield from _line("from" if field.name == "source" else field.name, _default(field, values), meaning)


def _classes() -> tuple[str, ...]:
    return ("Settings", "RunSettings", *(table.__name__ for table in _TABLES.values()))


def _default(field: Field, values: Mapping[str, Any]) -> str:
    if field.name in values:
        return _yaml(values[field.name])
    value = field.default if field.default_factory is REQUIRED else field.default_factory()
    return "" if value is REQUIRED or value == MISSING else format_value(value)


def _node(key: str, node: Mapping[str, Any]) -> Iterator[str]:
    """Yields the lines of a component, or of a table of it: what its yaml sets, and the defaults of its class."""
    declared = {each.name: each for each in _declared(str(node.get("_target_", ""))) if not each.name.startswith("_")}
    values = {name: value for name, value in node.items() if name != "_target_" and name != "defaults"}
    for name in [*declared, *(name for name in values if name not in declared)]:
        value = values.get(name)
        if isinstance(value, dict) and value:
            yield from _node(f"{key}.{name}", value)
            continue
        setting = declared.get(name, Setting(name, "", ""))
        yield from _line(f"{key}.{name}", setting.default if name not in values else _yaml(value), setting.meaning)


def _declared(target: str) -> list[Setting]:
    """Returns the settings that the source of a ``_target_`` declares; no module of it is imported."""
    module, _, name = target.rpartition(".")
    file = source_file(module)
    return comments(file.read_text(encoding="utf-8"), name) if file else []


def _typed(value: ast.expr | None) -> str:
    if value is None:
        return ""
    try:
        return format_value(ast.literal_eval(value))
    except ValueError:  # an expression, e.g. a call
        return ast.unparse(value)


def _yaml(value: Any) -> str:
    return "" if value == MISSING else "{}" if value == {} else format_value(value)


def _line(key: str, default: str, meaning: str) -> Iterator[str]:
    return _paragraph(f"  {f'{key}={default}':{_KEY}} ", meaning)


def _paragraph(start: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(start + text, _WIDTH, subsequent_indent=" " * min(len(start), _KEY + 3), break_on_hyphens=False)


def _file_of(group: str, choice: str | None) -> Path | None:
    """Returns the yaml of a choice, of ours or of the user's own conf; None where there is none."""
    files = (folder / group / f"{choice}.yaml" for folder in (conf(), Path("conf")))
    return next((file for file in files if group and choice and file.is_file()), None)


def _files(group: str, choice: str | None) -> Iterator[Path]:
    """Yields the file of a choice, then those that it begins with."""
    file = _file_of(group, choice)
    if file is not None:
        yield file
        for entry in _content(file).get("defaults") or ():
            if isinstance(entry, str) and entry != "_self_":
                yield from _files(group, entry)


def _overrides(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (group, choice) of what a file chooses in other groups: "override /emitter: code_mix"."""
    for entry in content.get("defaults") or ():
        for key, choice in entry.items() if isinstance(entry, dict) else ():
            yield key.removeprefix("override ").lstrip("/").partition("@")[0], choice


def _content(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {}


def _is_global(file: Path) -> bool:
    return file.read_text(encoding="utf-8").lstrip().startswith("# @package _global_")


def _merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict):
            values[key] = dict(values[key]) if isinstance(values.get(key), dict) else {}
            _merge(values[key], value)
        else:
            values[key] = value
