"""From what is typed after ``qd run`` to the parts of a search.

    config = load(["domain=sphere", "seed=3"])        # plain, resolved
    search, referee, run = assemble(config)
    path = folder(config, ["domain=sphere", "seed=3"])

Later wins: primary defaults, domain, experiment, command line. conf may be ours or the user's ./conf.
"""

import filecmp
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import qd
from qd.cli.build import build
from qd.cli.settings import Settings, Suits
from qd.spelling import nearest

_ORDER = ("lm", "grade", "judge", "domain", "descriptor", "archive", "emitter", "referee")  # each may refer to those before
_ELSEWHERE = ("name", "seed", "budget", "workers", "runs", "console", "again")  # not what tells two folders apart
_LONGEST = 120  # characters of overrides in a folder's name


class Assembled(NamedTuple):
    search: Any  # qd.types.Search
    referee: Any  # qd.referee.Referee or None
    run: Callable  # the driver: qd.search.run, or another of its signature


def load(overrides: list[str]) -> dict[str, Any]:
    """Returns the plain resolved config. Raises ValueError that names the nearest valid key or choice."""
    from hydra import compose
    from omegaconf import open_dict

    with _hydra():
        _check(overrides)
        cfg = compose("config", prepared(overrides), return_hydra_config=True)
        choices = dict(cfg.hydra.runtime.choices)
        with open_dict(cfg):
            del cfg["hydra"]
        return plain(cfg, choices)


def check(overrides: list[str]) -> None:
    """Raises ValueError on a misspelt key or an unknown choice of a group; sweeps are judged choice by choice."""
    with _hydra():
        _check(overrides)


def assemble(config: dict[str, Any]) -> Assembled:
    """Builds the parts, each once, in order. Raises ValueError where a part cannot be built or breaks its protocol."""
    from qd.types import Search

    shared: dict[str, Any] = {}
    for name in _ORDER:
        if config.get(name) is not None:
            shared[name] = build(config[name], shared, name)
            _check_protocol(name, shared[name])
    referee = shared.get("referee")
    keep = dict.fromkeys((*config["keep"], *(referee.keep if referee else ())))
    parts = (shared[name] for name in ("domain", "descriptor", "archive", "emitter"))
    search = Search(*parts, keep=tuple(keep), reserve=config["reserve"])
    return Assembled(search, referee, driver(search, config["driver"]["name"]))


def driver(search: Any, name: str) -> Callable:
    """Chooses who runs a search. Raises ValueError on a driver that there is not."""
    from qd.search import run

    drivers = {"auto": run, "host": run}
    if name not in drivers:
        raise ValueError(f"there is no driver {name!r}; type driver=auto or driver=host")
    return drivers[name]


def folder(config: dict[str, Any], overrides: list[str]) -> Path:
    """Returns runs/NAME/OVERRIDES-s<seed>: the same command is the same folder."""
    named = (f"domain={config['name']}", f"experiment={config['name']}")  # said by NAME already
    said = sorted(o.lstrip("+") for o in overrides)
    said = [o for o in said if _key(o) not in _ELSEWHERE and not o.startswith("hydra") and o not in named]
    text = ",".join(said)
    if len(text) > _LONGEST or not re.fullmatch(r"[\w.,=+~@:\[\]{}-]*", text):
        text = _hash(config)
    return Path(config["runs"], config["name"], f"{text}-s{config['seed']}" if text else f"s{config['seed']}")


def conf() -> Path:
    """Returns the folder of our choices: in the wheel qd/conf, in a checkout conf."""
    package = Path(qd.__file__).resolve().parent
    for there in (package / "conf", package.parent / "conf"):
        if (there / "config.yaml").is_file():
            return there
    raise ValueError(f"there is no conf in {package} or beside it; install qd-atlas anew")


def register() -> None:
    """Makes the schema of the settings known to Hydra."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="settings", node=Settings)


def prepared(overrides: list[str]) -> list[str]:
    """Returns what Hydra is given: parts take any key (what builds them knows which), and ./conf is searched too."""
    parts = re.compile(rf"({'|'.join(_ORDER)})\.[^=]*=")
    theirs = [] if any(o.startswith("hydra.searchpath=") for o in overrides) else _yours()
    return [f"++{o}" if parts.match(o) else o for o in overrides] + theirs


def plain(cfg: Any, choices: dict[str, Any]) -> dict[str, Any]:
    """Resolves a composed config into plain containers, and checks the settings of the run itself."""
    from omegaconf import OmegaConf

    for key in sorted(OmegaConf.missing_keys(cfg)):
        if not key.startswith("suits."):
            raise ValueError(f"{key} is not set; type {key}=...")
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    del config["suits"]
    config = {key: value for key, value in config.items() if value is not None or key not in ("lm", "grade", "judge")}
    config["name"] = config["name"] or str(choices["domain"])
    config["keep"] = tuple(config["keep"])
    _check_settings(config)
    return config


@contextmanager
def _hydra() -> Iterator[None]:
    """Opens Hydra on our conf, and says its errors as ours."""
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    register()
    try:
        with initialize_config_dir(str(conf()), version_base="1.3"):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(_said(error)) from error


def _check(overrides: list[str]) -> None:
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.object_type import ObjectType
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader, given = GlobalHydra.instance().config_loader(), prepared(overrides)

    def listed(group: str, kind: ObjectType) -> list[str]:
        return loader.get_group_options(group, kind, config_name="config", overrides=given)

    groups = listed("", ObjectType.GROUP)
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        _check_key(key, groups)
        if key in groups and not override.is_delete():
            for choice in override.sweep_iterator() if override.is_sweep_override() else [override.value()]:
                below = "/".join([key, *str(choice).split("/")[:-1]])
                _check_choice(key, choice, listed(below, ObjectType.CONFIG))


def _check_key(key: str, groups: Iterable[str]) -> None:
    top, _, rest = key.partition(".")
    known = {f.name for f in fields(Settings)} | set(groups) - {"hydra"}
    if "/" not in top and top not in known:
        raise ValueError(f"there is no setting {top!r}; there is {nearest(top, sorted(known))}")
    suits = [f.name for f in fields(Suits)]
    if top == "suits" and rest and rest.split(".")[0] not in suits:
        raise ValueError(f"there is no setting {key!r}; suits has {nearest(rest, suits)}")


def _check_choice(group: str, choice: Any, options: list[str]) -> None:
    if choice is None or str(choice).split("/")[-1] in options:
        return
    raise ValueError(f"there is no {group} {str(choice)!r}; there is {nearest(str(choice), options)}")


def _check_settings(config: dict[str, Any]) -> None:
    if config["renderings"] < 0:
        raise ValueError(f"renderings={config['renderings']} is below 0; type 0 for none")
    relearn = config["relearn"]
    counts = [relearn] if isinstance(relearn, int) else [] if relearn is None else relearn
    if not isinstance(counts, list) or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in counts):
        raise ValueError(
            f"relearn={relearn} is no count of evaluations; "
            "type relearn=10000 for every so many, or relearn=[10000,25000] for these"
        )
    if ".." in Path(config["name"]).parts or Path(config["name"]).is_absolute():
        raise ValueError(f"name={config['name']} leaves the folder of runs; type a plain name, or runs=FOLDER")


def _check_protocol(name: str, part: Any) -> None:
    from qd import types

    protocol = getattr(types, name.capitalize(), None)
    if protocol is None:
        return
    asked = {**protocol.__annotations__, **vars(protocol)}
    lacks = [a for a in asked if (a == "__call__" or not a.startswith("_")) and not hasattr(part, a)]
    if lacks:
        what = "a node without _target_" if isinstance(part, dict) else f"a {type(part).__name__}"
        raise ValueError(f"{name}: {what} is no {protocol.__name__}: it lacks {', '.join(lacks)} (see qd/types.py)")


def _yours() -> list[str]:
    yours, ours = Path("conf").resolve(), conf()
    if not yours.is_dir() or yours == ours:
        return []
    for file in sorted(yours.glob("*/**/*.yaml")):
        twin = ours / file.relative_to(yours)
        if twin.exists() and not filecmp.cmp(file, twin, shallow=False):
            raise ValueError(f"{file} has the name of one of our own choices, which would hide it; rename it")
    return [f"hydra.searchpath=['file://{yours}']"]


def _hash(config: dict[str, Any]) -> str:
    from qd.store import identity

    return identity.config_hash({key: value for key, value in config.items() if key not in _ELSEWHERE})


def _key(override: str) -> str:
    return override.lstrip("+~").split("=")[0]


def _said(error: BaseException) -> str:
    """Says a Hydra error in one line, with its cause."""
    override = getattr(error, "override", None)
    if override is not None:
        return f"cannot read {override!r}; type key=value"
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return ": ".join(str(e).splitlines()[0].rstrip(".") for e in causes if str(e))
