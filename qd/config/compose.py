"""From what is typed after ``qd run`` to the components of a search.

    settings = load(["domain=sphere", "seed=3"])
    components = assemble(settings)
    path = folder(settings, ["domain=sphere", "seed=3"])

Later wins: primary defaults, domain, recipe, command line.
"""

import copy
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from qd import abilities
from qd.config import declared, guess, own_metrics, plugins, preconditions, workers
from qd.config.build import build
from qd.config.overrides import check, conf_state, hydra_overrides, lacks_first_line, open_hydra, print_renamed
from qd.config.settings import COMPONENTS, EARLIER, DomainDefaults, RunSettings, from_config, to_config
from qd.support import links
from qd.support.conf import conf
from qd.support.errors import UserError
from qd.support.moved import current_override, current_setting, earlier_settings, original_override
from qd.support.spelling import unknown

# each component may refer to those before it
ORDER = ("lm", "judge_lm", "sandbox", "grade", "domain", "judge", "descriptor", "archive", "emitter", "referee")
_ELSEWHERE = (
    "name",
    "seed",
    "budget",
    "workers",
    "runs",
    "console",
    "map_picture",
    "again",
    "save_seconds",
    "log",
    "yes",
)  # not part of a folder's name
_NOR = re.compile(r"(judge_)?lm\.(budget|limits|cache|price|mode|key_variable)\b|remote(\.(?!chunk\b).*)?$")  # nor do these
_LONGEST, _SLUG = 120, 60  # characters of overrides in a folder's name; and where they are cut short
_PLAIN = re.compile(r"[\w.,=+~@:\[\]{}-]*")


_MOST = 200  # settings that are kept
_composed: dict[tuple, RunSettings] = {}


class Components(NamedTuple):
    search: Any  # qd.types.Search
    referee: Any  # qd.referee.Referee or None
    run: Callable  # the driver: qd.search.run, or another of its signature
    services: tuple[Any, ...] = ()  # shared components with report(): calls and cost, a row for each role
    metrics: Mapping[str, Callable] = MappingProxyType({})  # more columns of metrics.csv
    warnings: tuple[str, ...] = ()  # what the reader of a run must know, e.g. that a toy answered in place of a language model


def load(overrides: list[str]) -> RunSettings:
    """Returns the settings that the words of ``qd run`` make. Raises ValueError that names the nearest valid key or choice."""
    return _once(_load, overrides)


def compose_settings(overrides: list[str]) -> RunSettings:
    """``load`` without the check of keys and choices; Hydra must be open: ``open_hydra``."""
    return _once(_compose_settings, overrides)


def _once(make: Callable[[list[str]], RunSettings], overrides: list[str]) -> RunSettings:
    """Composes the same words once in a process: it takes a fifth of a second, and a command asks two or three times.

    Words that read files or the environment, and those beside a conf of the user's own, are composed each time.
    """
    plain = not any("${" in word or word.startswith(("from=", "source=", "hydra")) for word in overrides)
    if not plain or (Path("conf").is_dir() and Path("conf").resolve() != conf()):
        return make(overrides)
    key = make, tuple(overrides), conf_state()
    if key not in _composed:
        if len(_composed) >= _MOST:
            _composed.clear()
        _composed[key] = make(overrides)
    return copy.deepcopy(_composed[key])


def _load(overrides: list[str]) -> RunSettings:
    guess.check(overrides)
    with open_hydra():
        check(overrides)
        settings = compose_settings(overrides)
    components = {role: getattr(settings, role) for role in COMPONENTS}
    declared.check(components, overrides)
    preconditions.check(components)
    if any(re.match(r"[+]*(domain|domain_defaults|descriptor|archive)\.", override) for override in overrides):
        _check_shapes(settings)
    return settings


def _check_shapes(settings: RunSettings) -> None:
    """Refuses bounds, an objective range and dims that cannot be, where they are plain numbers, before JAX is imported."""
    from qd.archives.settings import check_bounds, check_dims, check_pair  # with NumPy

    scale, bounds = _setting(settings.domain, "objective_range"), _setting(settings.descriptor, "bounds")
    dims, target = _setting(settings.archive, "dims"), _setting(settings.archive, "_target_")
    ranges, pairs = _setting(settings.archive, "ranges"), 1
    if _is_list(scale) or _is_number(scale):
        several = _is_list(scale) and all(map(_is_list, scale))
        pairs = len(scale) if several else 1
        for pair in scale if several else [scale]:
            check_pair("objective_range", pair)
    if _is_list(ranges) and str(target).startswith("qd.archives.Fronts"):
        if _is_list(scale) and len(ranges) != pairs:
            raise UserError(
                f"archive.ranges has {len(ranges)} pairs, and objective_range {pairs}",
                "leave archive.ranges out, or type as many",
            )
        for i, pair in enumerate(ranges):
            check_pair(f"archive.ranges[{i}]", pair)
    if _is_list(bounds) and all(map(_is_list, bounds)):
        check_bounds(bounds)
        if _is_list(dims) and str(target).startswith("qd.archives."):
            check_dims(dims, bounds)


def _setting(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _compose_settings(overrides: list[str]) -> RunSettings:
    from hydra import compose
    from omegaconf import open_dict

    cfg = compose("config", hydra_overrides(overrides), return_hydra_config=True)
    choices = dict(cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    return resolve(cfg, choices)


def assemble(settings: RunSettings, run: Path | None = None) -> Components:
    """Builds the components, each once, in order.

    Args:
        run: the folder of the run, which components may refer to as "@run"; None where nothing is to be written.

    Raises:
        UserError: a component cannot be built or breaks its protocol.
    """
    from qd import checks
    from qd.driver import choose  # with JAX, which --help does without
    from qd.types import Search

    if run is not None:
        links.check(run)  # parts write there before the folder is locked
    shared: dict[str, Any] = {"run": None if run is None else str(run)}
    for name in ORDER:
        node = getattr(settings, name)
        if isinstance(node, dict) and "_target_" not in node:
            raise UserError(f"{name} has settings, but no {name} is chosen", f"type {name}=CHOICE too, or leave out {name}.*=")
        if name == "judge_lm" and "lm" in shared and node in (None, settings.lm):  # one client, one budget
            shared[name] = shared["lm"]
        elif node is not None:
            shared[name] = build(node, shared, name)
    components = [shared[name] for name in ("domain", "descriptor", "archive", "emitter")]
    components[0] = workers.wrap(components[0], settings.workers, settings.remote, run)
    search = Search(*components, keep=_features_to_keep(settings, shared), reserve=settings.reserve)
    services = {id(service): service for service in (*shared.values(), search.domain) if abilities.of_service(service).report}
    checks.protocols(search)
    _check_learns(search.descriptor, settings.refit)
    for key in settings.driver:
        if key not in ("name", "order", "_target_"):
            raise unknown("setting", f"driver.{key}", ["driver.name", "driver.order"])
    driver = choose(search, settings.driver.get("name"), settings.driver.get("order"))
    metrics = own_metrics.functions(settings.metrics, shared)
    warnings = tuple(filter(None, dict.fromkeys(abilities.of_service(service).warning for service in shared.values())))
    return Components(search, shared.get("referee"), driver, tuple(services.values()), metrics, warnings)


def folder(settings: RunSettings, overrides: list[str]) -> Path:
    """Returns runs/NAME/OVERRIDES-s<seed>: the same command is the same folder, also one begun in an earlier version.

    Args:
        settings: that the overrides make.
        overrides: the words after ``qd run``; those that do not belong in the name are left out (seed, budget, workers, ...).

    Returns:
        The path. Overrides of over 120 characters, or with others than a folder's name may have, are cut short, and six
        digits of a hash of the settings follow.
    """
    texts = [
        ",".join(_distinguishing(settings, [rename(override) for override in overrides]))
        for rename in (current_override, original_override)
    ]
    digest = "" if all(map(_is_plain, texts)) else _hash(settings)
    slug = re.sub(r"[^\w.,=+-]+", "_", texts[0])[:_SLUG].rstrip(",._-")
    now = texts[0] if _is_plain(texts[0]) else f"{slug}-{digest[:6]}"
    earlier = [text if _is_plain(text) else digest for text in texts]  # names that earlier versions gave
    paths = [Path(settings.runs, settings.name, f"{text}-s{settings.seed}".lstrip("-")) for text in (now, *earlier)]
    return next((path for path in paths if path.exists()), paths[0])


def _distinguishing(settings: RunSettings, overrides: list[str]) -> list[str]:
    """Returns the overrides that belong in a folder's name, in order."""
    redundant = [f"{group}={settings.name}" for group in ("domain", "recipe", "experiment")]  # NAME says it already
    words = sorted(f"from={settings.source}" if _key(o) == "source" else o.lstrip("+~") for o in overrides)
    words = [o for o in words if _key(o) not in _ELSEWHERE and not _NOR.match(_key(o))]
    return [o for o in words if not o.startswith("hydra") and o not in redundant]


def _is_plain(text: str) -> bool:
    return len(text) <= _LONGEST and _PLAIN.fullmatch(text) is not None


def resolve(cfg: Any, choices: dict[str, Any]) -> RunSettings:
    """Resolves what Hydra composed, and checks the settings of the run itself.

    Args:
        cfg: OmegaConf's, without Hydra's own node; settings under their earlier names are taken over in place.
        choices: group -> what was chosen, e.g. domain -> arm.

    Returns:
        The settings, named after the domain where they have no name.

    Raises:
        UserError: a setting is missing or impossible; names what to type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError

    if choices.get("domain") is None:
        raise UserError("a run needs a domain", "leave out ~domain")
    _take_over(cfg)
    _check_package(cfg, choices)
    try:
        unset = [key for key in sorted(OmegaConf.missing_keys(cfg)) if not key.startswith(("domain_defaults.", "suits."))]
        config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    except InterpolationToMissingValueError as error:
        lacks, domain = re.findall(r"domain_defaults\.\w+", str(error))[0], choices["domain"]
        raise UserError(
            f"{error.full_key} needs {lacks}, which domain={domain} does not set; "
            f"type {error.full_key}=..., or set {lacks} in conf/domain/{domain}.yaml"
        ) from error
    lacking = declared.not_set("domain", config["domain"])
    if unset or lacking:
        raise _unset(dict.fromkeys(unset, "...") | lacking)
    for name in ("domain_defaults", *EARLIER):
        del config[name]
    for before, now in earlier_settings(config).items():  # of a user's yaml: typed ones have been renamed
        print_renamed(before, now)
    config["name"] = str(choices["domain"]) if config["name"] is None else config["name"]
    settings = from_config(config)
    _check_settings(settings)
    return settings


def _unset(values: dict[str, str]) -> UserError:
    """Returns the error about settings that must be typed: key -> what stands for its value."""
    keys = sorted(values)
    cost = " (the cost of a million tokens)" if any(".price." in key for key in keys) else ""
    shown = keys if len(keys) <= 3 else [keys[0], f"{len(keys) - 1} others"]
    which = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    are = "is" if len(keys) == 1 else "are"
    return UserError(f"{which} {are} not set", f"type {' '.join(f'{key}={values[key]}' for key in keys)}{cost}")


def _check_package(cfg: Any, choices: dict[str, Any]) -> None:
    """Raises UserError where the yaml of a choice lacks its first line, so that its settings lie one level too deep."""
    from omegaconf import DictConfig

    for group, choice in choices.items():
        if group not in cfg:
            continue
        node = cfg[group]
        if isinstance(node, DictConfig) and "_target_" not in node and (group in node or "domain_defaults" in node):
            raise lacks_first_line(f"{group}/{choice}")


def _take_over(cfg: Any) -> None:
    """Renames settings of the previous version in a user's own yaml."""
    from omegaconf import OmegaConf, open_dict

    for before in EARLIER:
        now, value = current_setting(before), cfg[before]
        if value is None:
            continue
        print(f"qd: a yaml of yours sets {before}:, which is now {now}:; type the new name", file=sys.stderr)
        with open_dict(cfg):
            if before != "suits":
                cfg[now] = value if cfg[now] is None else cfg[now]
                continue
            defaults, target = DomainDefaults(), cfg[now]
            for key in value:
                if OmegaConf.is_missing(target, key) or target[key] == getattr(defaults, key):
                    target[key] = value[key]
    with open_dict(cfg):
        cfg["suits"] = cfg["domain_defaults"]  # for ${suits.feature} in such a yaml


def _check_settings(settings: RunSettings) -> None:
    if settings.columns not in (None, "none", *plugins.columns()):
        raise unknown("columns", settings.columns, plugins.columns())
    axis_labels, name = {} if settings.axis_labels is None else settings.axis_labels, settings.name
    if not isinstance(axis_labels, dict) or not all(isinstance(columns, list) for columns in axis_labels.values()):
        raise UserError(
            f"axis_labels={axis_labels} names no columns of features", "type axis_labels={position:[[where,left,right]]}"
        )
    feature, cells = (settings.descriptor.get(key) for key in ("feature", "cells"))
    if cells and axis_labels.get(feature) and len(cells) != len(axis_labels[feature]):
        raise UserError(
            f"domain_defaults.dims={cells} is {len(cells)} for the {len(axis_labels[feature])} axes of {feature}",
            f"type domain_defaults.dims={[cells[0]] * len(axis_labels[feature])}, and as many lists in domain_defaults.ticks, "
            "or domain_defaults.ticks=null",
        )
    if not name.strip():
        raise UserError("name= is empty", "type name=WORD, or leave it out: then it is the domain's")
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise UserError(f"name={name} leaves the folder of runs", "type a plain name, or runs=FOLDER")


def _features_to_keep(settings: RunSettings, shared: dict[str, Any]) -> tuple[str, ...]:
    """Names the features that are stored whether or not the descriptor reads them."""
    filmed = (settings.film,) if settings.film else ()
    domain, judge = abilities.of_domain(shared["domain"]).keep, abilities.of_judge(shared.get("judge")).keep
    referee = shared["referee"].keep if "referee" in shared else ()
    return tuple(dict.fromkeys((*settings.keep, *filmed, *domain, *judge, *referee)))


def _check_learns(descriptor: Any, refit: Any) -> None:
    if refit and abilities.of_descriptor(descriptor).learns is False:
        raise UserError(
            f"refit needs a descriptor that learns; {type(descriptor).__name__} does not: "
            "leave refit out, or type descriptor=pca"
        )


def _hash(settings: RunSettings) -> str:
    from qd.store import identity

    return identity.config_hash({key: value for key, value in to_config(settings).items() if key not in _ELSEWHERE})


def _key(override: str) -> str:
    return override.lstrip("+~").split("=")[0]
