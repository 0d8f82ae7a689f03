"""Which components of a run folder may be built: building runs code, and a folder may come from anyone.

A config.yaml that the user's own command wrote is signed with the key of their checkpoints (RUN/.signature). Of any other
folder only what conf names is built, ours and the user's: each target must be that of a choice there, and each other text a
text there; numbers are free. Whatever goes beyond that is shown, and built where the user types it.
"""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qd.store import seal
from qd.support import atomic, links, read_files, run_files
from qd.support.conf import conf
from qd.support.errors import UserError
from qd.support.moved import current, current_config

_GUARDED = ("lm", "sandbox")  # groups of conf of which a foreign folder builds nothing: language models cost money and send
# data away, and a sandbox decides what may be done by programs, which are the folder's own solutions
_TARGET = "_target_"
_SHOWN = 6  # settings that a message shows


def sign(run: Path) -> None:
    """Signs config.yaml as the user's own. Raises UserError where it cannot be written."""
    signature = seal.signature((run / run_files.CONFIG).read_bytes())
    atomic.write(run / run_files.SIGNATURE, f"{signature}\n".encode())


def is_signed(run: Path) -> bool:
    """Whether this user's own command wrote config.yaml, and nothing changed it since."""
    config, signature = run / run_files.CONFIG, run / run_files.SIGNATURE
    links.check(run, (run_files.CONFIG, run_files.SIGNATURE))
    if not config.is_file() or not signature.is_file():
        return False
    return seal.is_signature(config.read_bytes(), signature.read_text(encoding="ascii", errors="replace").strip())


def check(run: Path, config: Mapping[str, Any], names: Iterable[str], words: Sequence[str] = ()) -> None:
    """Checks that components of a stored config may be built.

    Args:
        run: the folder that the config is from.
        config: of config.yaml or archive.json.
        names: components of it that are about to be built, e.g. domain.
        words: settings that the user typed beside the folder, as the message of a refusal shows them.

    Raises:
        UserError: the folder is not the user's own, and asks for what neither conf nor ``words`` name; or a word names no
            such setting.
    """
    nodes = {name: config.get(name) for name in names if config.get(name) is not None}
    own = is_signed(run) and _same(nodes, _own_config(run))
    if own and not words:
        return
    foreign = _foreign(nodes)
    if surplus := [word for word in words if word not in foreign]:
        raise UserError(
            f"{surplus[0]} is no setting of {run} that needs your word", "leave it out; settings are changed by qd run alone"
        )
    settings = [] if own else [word for word in foreign if word not in words]
    if settings:
        more = f" and {len(settings) - _SHOWN} more" if len(settings) > _SHOWN else ""
        raise UserError(
            f"{run} was not written by your own command, and would build {', '.join(settings[:_SHOWN])}{more}, which your "
            "conf does not name: that could run any code",
            f"if you trust it, add {shlex.join(settings)} to the command",
        )


def _same(nodes: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    own = {name: config.get(name) for name in nodes}
    return json.dumps(nodes, sort_keys=True) == json.dumps(own, sort_keys=True)  # NaN equals NaN


def _own_config(run: Path) -> dict[str, Any]:
    return current_config(read_files.yaml_mapping(run / run_files.CONFIG, "give the run's command once more"))


def _foreign(nodes: Mapping[str, Any]) -> list[str]:
    """Lists the settings KEY=VALUE of some nodes that conf does not name."""
    targets, texts, guarded = _conf_texts()
    foreign = []
    for name, node in nodes.items():
        for key, value in _texts(node, name):
            names = {value, current(value)}
            named = {"@sandbox"} if key.endswith("sandbox") else texts  # a sandbox may be named by its choice, e.g. none
            if not names & (targets - guarded if _is_target(key) else named):
                foreign.append(f"{key}={value}")
    return foreign


def _texts(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yields the dotted key and the value of each text in a node."""
    if isinstance(node, str):
        yield where, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _texts(value, f"{where}.{key}")
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _texts(value, f"{where}.{i}")


def _is_target(key: str) -> bool:
    return key.rpartition(".")[2] == _TARGET


def _conf_texts() -> tuple[set[str], set[str], set[str]]:
    """Returns the targets, the other texts, and the targets of guarded groups in conf, ours and the user's ./conf."""
    files = [file for folder in (conf(), Path("conf")) for file in sorted(folder.glob("*/**/*.yaml"))]
    targets: set[str] = set()
    texts: set[str] = set()
    guarded: set[str] = set()
    for file in files:
        try:
            content = yaml.safe_load(file.read_bytes())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{file} cannot be read ({error})", "correct it") from error
        for key, value in _texts(content, ""):
            (targets if _is_target(key) else texts).add(value)
            if _is_target(key) and file.parent.name in _GUARDED:
                guarded.add(value)
    return targets, texts, guarded
