"""What words after ``qd run`` were meant to be that are no KEY=VALUE: a choice alone, a setting and its value apart, a flag.

  arm              domain=arm
  budget 1000      budget=1000
  --seed 3         seed=3

Nothing is run on a guess: the whole command is shown, to be typed.
"""

import difflib
import re
import shlex
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

from qd.config import hints
from qd.config.settings import COMPONENTS, EARLIER, Settings
from qd.support.conf import conf
from qd.support.errors import UserError

_NUMBER = re.compile(r"-?[0-9][0-9._e+-]*")
_CLOSE = 0.6  # similarity from which a name is taken as meant
_FIRST = ("domain", "recipe")  # groups that a choice alone is looked for in first
_TEXTS = ("name=", "runs=", "from=")
_SWITCHES = ("-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun", "-i", "--info")
_FLAGS = (  # of Hydra, each with a value after it
    *("-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir"),
    *("-sc", "--shell-completion", "--experimental-rerun"),
)


def check(words: Sequence[str], command: str = "") -> None:
    """Refuses words that are no KEY=VALUE, with the command that was probably meant.

    Args:
        words: as typed, Hydra's flags among them.
        command: what is typed before them, e.g. "qd run".

    Raises:
        UserError: a word is no override, and one can be guessed. Where none can, Hydra's parser is left to refuse it.
    """
    corrected = correct(words)
    if corrected != list(words):
        first = next(word for i, word in enumerate(words) if corrected[i : i + 1] != [word])
        raise UserError(f"cannot read {first!r}", f"type {' '.join([*command.split(), *map(_quote, corrected)])}")


def correct(words: Sequence[str]) -> list[str]:
    """Returns the words with a guess in place of those that are no KEY=VALUE; words that nothing is like stay.

    Raises:
        UserError: a word is a command, or a setting of other tools.
    """
    rest, corrected = list(words), []
    while rest:
        word = rest.pop(0)
        if word in _FLAGS:
            corrected += [word, *rest[:1]]
            del rest[:1]
        elif word.partition("=")[0] in (*_SWITCHES, *_FLAGS) or word.startswith("~") or _is_override(word):
            corrected.append(word)
        else:
            free_text = any(each.startswith(_TEXTS) for each in corrected)  # blanks in it come as words of their own
            if not free_text:
                _refuse_other_words(word)
            corrected.append(_pair(word, rest) or _choice(word, fuzzy=not free_text) or word)
    return corrected


def flags_first(words: Sequence[str]) -> list[str]:
    """Returns the words with Hydra's flags and their values before the overrides, which its parser takes in one piece only."""
    rest, flags, overrides = list(words), [], []
    while rest:
        word = rest.pop(0)
        (flags if word.startswith("-") else overrides).append(word)
        if word in _FLAGS and rest:
            flags.append(rest.pop(0))
    return flags + overrides


def options() -> dict[str, list[str]]:
    """Returns group -> the choices in our conf and the user's ./conf, those of domain and recipe first."""
    choices: dict[str, dict[str, None]] = {}  # a choice that both have is one
    for folder in dict.fromkeys((conf(), Path("conf").resolve())):
        for file in sorted(folder.glob("*/*.yaml")):
            choices.setdefault(file.parent.name, {})[file.stem] = None
    return {group: list(choices[group]) for group in sorted(choices, key=lambda group: (group not in _FIRST, group))}


def _is_override(word: str) -> bool:
    return "=" in word.lstrip("=") and not word.startswith("-")


def _refuse_other_words(word: str) -> None:
    name = re.split("[=:]", word.lstrip("-"), maxsplit=1)[0].replace("-", "_")
    if name in hints.INSTEAD and not any(name in choices for choices in options().values()):
        raise hints.error(name)


def _pair(word: str, rest: list[str]) -> str | None:
    """Returns KEY=VALUE for --KEY=VALUE, --KEY VALUE, KEY VALUE, KEY = VALUE and KEY:VALUE; takes what it needs of ``rest``."""
    match = re.fullmatch(r"-*([^=:]*)([=:]?)(.*)", word, re.DOTALL)
    assert match is not None
    name, sign, value = match.groups()
    value_apart = next((other for other in rest[:2] if other != "="), "").removeprefix("=") if not value else ""
    is_flag = word.startswith("-") or sign == ":"
    key = _setting(name.replace("-", "_"), fuzzy=is_flag or _NUMBER.fullmatch(value_apart) is not None)
    is_value = value_apart and not _is_override(value_apart) and (value_apart[0] != "-" or _NUMBER.fullmatch(value_apart))
    if key is None or not (value or is_value):
        return None
    if not value:
        del rest[: 2 if rest[0] == "=" else 1]
    return f"{key}={value or value_apart}"


def _setting(name: str, fuzzy: bool) -> str | None:
    """Returns the setting of that name; any of a component passes. Where ``fuzzy``, also the one that is close."""
    if name in _settings() or ("." in name and name.partition(".")[0] in COMPONENTS):
        return name
    return _closest(name, _settings()) if fuzzy else None


def _choice(word: str, fuzzy: bool) -> str | None:
    """Returns GROUP=CHOICE for a choice alone; where ``fuzzy``, also for one that is misspelt."""
    groups, name = options(), word.lstrip("-")
    for group, choices in groups.items():
        if name in choices:
            return f"{group}={name}"
    for group, choices in groups.items():
        close = _closest(name, tuple(choices)) if fuzzy and name == word else None
        if close and name not in _settings():
            return f"{group}={close}"
    return None


@cache
def _settings() -> tuple[str, ...]:
    own = (f.name for f in fields(Settings) if f.name not in {*EARLIER, "source"})
    return ("seeds", "from", "recipe", *own)


def _closest(name: str, names: tuple[str, ...]) -> str | None:
    return next(iter(difflib.get_close_matches(name.lower(), names, n=1, cutoff=_CLOSE)), None)


def _quote(word: str) -> str:
    return word if re.fullmatch(r"[\w.,=+~@:/%\[\]-]*", word) else shlex.quote(word)
