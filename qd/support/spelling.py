"""Messages about names that do not exist, with the names that were probably meant."""

import difflib
from collections.abc import Iterable

from qd.support.errors import UserError

_MOST, _CLOSE = 3, 0.6  # names that a message lists where there are many; similarity from which a name is taken as meant
_SHORT = 60  # characters: so short a list of all names is shown whole


def unknown(kind: str, name: str, choices: Iterable[str], of: str = "", otherwise: str = "", lister: str = "") -> UserError:
    """Returns the error about a name that is none of the choices.

        raise unknown("domain", "amr", ["arm", "maze"])  # unknown domain 'amr'; type arm

    Args:
        kind: of what the name should be, e.g. "domain".
        name: as typed.
        choices: valid names. The message lists those that are close to ``name``, at most three; where none is close, all if
            they are few, else the three most similar.
        of: follows the name, e.g. "of Arm".
        otherwise: what else can be done, e.g. "or the path of a file"; follows the names.
        lister: the command that lists all names, e.g. "qd run --help"; shown where not even one is close.

    Returns:
        The error, to be raised.
    """
    names = list(dict.fromkeys(choices))
    close = _similar(name, names, _CLOSE)
    if close:
        listed = _join(close)
    elif len(", ".join(names)) <= _SHORT:
        listed = _join(names)
    else:
        listed = ", ".join([*_similar(name, names, 0.0), f"... ({lister} lists all)" if lister else "..."])
    fix = f"type {listed} {otherwise}" if listed else "there is none"
    return UserError(f"unknown {kind} {name!r} {of}".rstrip(), fix.rstrip())


def _similar(name: str, names: list[str], cutoff: float) -> list[str]:
    """Returns the names most similar to ``name``, the best first; what all have before a last dot does not count."""
    prefix = name[: name.rfind(".") + 1]
    of_key: dict[str, str] = {}  # the part that is compared -> the name
    for each in names:
        of_key.setdefault(each.removeprefix(prefix).lower(), each)
    key = name.removeprefix(prefix).lower()
    return [of_key[match] for match in difflib.get_close_matches(key, list(of_key), n=_MOST, cutoff=cutoff)]


def _join(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
