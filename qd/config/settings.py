"""The settings of a run, their defaults, their limits, and their one form in files.

``RunSettings`` is what all code is handed; ``to_config`` and ``from_config`` lead to and from the plain dict that config.yaml
and archive.json hold. ``Settings`` adds what may only be typed: it is the schema of conf/config.yaml.
"""

from collections.abc import Mapping
from dataclasses import MISSING as REQUIRED
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_type_hints

from omegaconf import MISSING

from qd.config import values, workers
from qd.config.values import format_value
from qd.config.workers import RemoteSettings
from qd.support.errors import UserError
from qd.support.moved import current_config
from qd.support.spelling import unknown

_LEFT_OUT = (
    "lm",
    "judge_lm",
    "sandbox",
    "grade",
    "judge",
    "source",
    "stop",
    "film",
    "map_picture",
    "live_map",
    "axis_labels",
    "columns",
    "metrics",
    "log",
    "yes",
    "workers",
)  # where they are not set

COMPONENTS = ("lm", "judge_lm", "sandbox", "grade", "judge", "domain", "descriptor", "archive", "emitter", "referee", "driver")
_COUNTS = ("budget", "initial", "log_every", "save_every")
_COMPONENT_COUNTS = {
    "archive": ("dims", "cells", "samples", "capacity"),
    "emitter": ("batch_size", "count"),
}  # of our own components: whole numbers, 1 or more, or lists of such
_REFIT = "type refit=10000 (after each 10,000 evaluations), refit=[0.1,0.5] (at shares of the budget) or refit=outside"
EARLIER = ("relearn", "called", "now", "suits")  # names of the previous version, which a user's own yaml may hold


@dataclass(frozen=True)
class DomainDefaults:
    """Defaults that fit a domain; the choices in conf refer to it as ${domain_defaults.feature}."""

    feature: str = MISSING  # the hand-made feature: its columns are the measures
    bounds: Any = MISSING  # of that feature: (low, high) per column
    reads: list[str] = MISSING  # the features that a descriptor which learns reads
    dims: Any = field(default_factory=lambda: [50, 50])  # cells of a grid, one number a measure
    ticks: Any = None  # of descriptor=ticks: borders of uneven cells, a list for each measure; None: as generation 0 falls
    batch_size: int = 256  # solutions of a generation
    threshold_min: float = 0.0  # CMA-MAE's: no higher than the worst objective worth keeping


@dataclass(frozen=True)
class Plateau:
    """What stop=plateau calls one: neither coverage nor QD score has risen since the last refit."""

    share: float = 0.01  # by more than this share of what they were
    over: int = 10_000  # evaluations


@dataclass(frozen=True)
class Outside:
    """What refit=outside waits for: so many of the offspring lie outside the bounds that they were learned for."""

    share: float = 0.05  # of the offspring
    over: int = 2_000  # of the last evaluations, at least


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of one run. Components are plain nodes: ``_target_`` and keyword arguments (see qd.config.build)."""

    name: str  # of the folder
    seed: int = 0  # the whole number that all randomness of the run follows from
    budget: int = (
        50_000  # evaluations, those of generation 0 and failed ones too; the run ends with the generation that gets there
    )
    initial: int = 100  # size of the initial population, sampled by the domain: generation 0
    source: str | None = None  # typed as from=...: a run or a file; generation 0 is its solutions instead of samples
    stop: str | None = None  # plateau: end before the budget where neither coverage nor QD score rises any more
    plateau: Plateau = field(default_factory=Plateau)
    refit: Any = None  # None: never; a number: every so many evaluations; a list: at these, or shares of the budget; outside
    outside: Outside = field(default_factory=Outside)
    log_every: int = 1_000  # evaluations between two rows of metrics.csv
    save_every: int = 10_000  # evaluations between two checkpoints
    save_seconds: float = 2.0  # at least, between two checkpoints: each waits for the disk
    renderings: int = 100  # pictures of elites, at most
    film: str | None = None  # a feature of two numbers, e.g. position: stores the end of each evaluation, for qd plot --film
    map_picture: bool | None = None  # false: the map is not drawn as a picture at the end, only the page; qd plot RUN draws it
    live_map: bool | None = None  # draw the map at each refit too, into the folder now/, for raters that answer meanwhile
    runs: str = "runs"  # the root of all run folders
    again: bool = False  # start a finished run over
    console: str = "auto"  # live on a terminal, else plain; or: live, plain, off
    axis_labels: Any = (
        None  # on figures: feature -> for each column (title), (title, low end, high end) or (title, a name for each cell)
    )
    columns: str | None = None  # a choice of conf/columns.yaml: more columns of `qd export`
    yes: bool | None = None  # do not ask where the rest of a run is paid for, or takes over an hour by estimate
    log: str | None = None  # sends the numbers to a tracker while the run goes on: wandb, mlflow or tensorboard
    metrics: Any = None  # more columns of metrics.csv: name -> function of (state, batch), as {_target_: my_module.my_function}
    keep: tuple[str, ...] = ()  # more features to store beside each elite
    reserve: int | None = None  # room for elites that lose their cell at a refit; None: as many as there are cells
    workers: int | None = None  # processes that evaluate; None: in this process, or where remote= says
    remote: RemoteSettings = field(default_factory=RemoteSettings)
    lm: Any = None  # shared services, built first and handed on by name
    judge_lm: Any = None  # where judges ask another language model than the generator's
    sandbox: Any = None  # where programs are run
    grade: Any = None
    judge: Any = None
    domain: Any
    descriptor: Any
    archive: Any
    emitter: Any
    referee: Any = None
    driver: Any

    def __post_init__(self) -> None:
        """Refuses impossible numbers. Raises UserError that names what to type."""
        _check(self)


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """What may be typed after ``qd run``."""

    name: str | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # None: the domain's
    domain_defaults: DomainDefaults = field(default_factory=DomainDefaults)
    relearn: Any = None  # EARLIER
    called: Any = None
    now: Any = None
    suits: Any = None


_TABLES = {"plateau": Plateau, "outside": Outside, "remote": RemoteSettings}


def to_config(settings: RunSettings) -> dict[str, Any]:
    """Returns the plain dict that config.yaml and archive.json hold.

    Optional settings that are not set are left out, and so are their tables: a setting that is added later then changes no hash
    of an older run.
    """
    config = {f.name: getattr(settings, f.name) for f in fields(RunSettings)}
    config |= {name: asdict(getattr(settings, name)) for name in _TABLES} | {"keep": list(settings.keep)}
    if settings.stop is None:
        del config["plateau"]
    if settings.refit != "outside":
        del config["outside"]
    if not workers.is_remote(settings.workers, settings.remote):
        del config["remote"]
    return {name: value for name, value in config.items() if value is not None or name not in _LEFT_OUT}


def from_config(config: Mapping[str, Any]) -> RunSettings:
    """Reads what ``to_config`` wrote, also in an earlier version.

    Raises:
        UserError: a setting is missing, unknown or of the wrong kind.
    """
    config = current_config(dict(config))
    names = {f.name: f for f in fields(RunSettings)}
    required = [name for name, f in names.items() if f.default is REQUIRED and f.default_factory is REQUIRED]
    if lacking := [name for name in required if name not in config]:
        raise UserError(f"it lacks {', '.join(lacking)}")
    for name in config:
        if name not in names:
            raise unknown("setting", name, names)
    if empty := [name for name in required if config[name] is None]:
        raise UserError(f"its {empty[0]} is empty", f"type {empty[0]}=...")
    _check_kinds(config)
    typed: dict[str, Any] = {"keep": tuple(config.get("keep", ()))}
    typed |= {name: table_type(**config[name]) for name, table_type in _TABLES.items() if name in config}
    return RunSettings(**{**config, **typed})


def _check_kinds(config: Mapping[str, Any]) -> None:
    """Raises UserError where a setting is of another kind than its annotation says."""
    hints = get_type_hints(RunSettings)
    annotated: list[tuple[str, Any, Any]] = []  # key, value, annotation
    for name, value in config.items():
        if name in _TABLES:
            annotated += _entries(name, value)
            continue
        if isinstance(value, dict) and hints[name] is not Any:
            raise UserError(f"its {name} is a table", f"type {name}=...")
        if name in COMPONENTS and value is not None and not isinstance(value, dict):
            raise UserError(f"its {name} is {str(value)[:60]}, no component", f"type {name}=...")
        annotated.append((name, value, hints[name]))
    for entry in annotated:
        values.check(*entry)


def _entries(name: str, value: Any) -> list[tuple[str, Any, Any]]:
    """Returns (key, value, annotation) of each setting of a table. Raises UserError where it is no such table."""
    hints = get_type_hints(_TABLES[name])
    if not isinstance(value, Mapping) or not value.keys() <= hints.keys():
        raise UserError(
            f"its {name} is {str(value)[:60]}, no table of {' and '.join(hints)}", f"type {name}.{next(iter(hints))}=..."
        )
    return [(f"{name}.{key}", each, hints[key]) for key, each in value.items()]


def _check(settings: RunSettings) -> None:
    """Raises UserError where a number of a run, or of its archive or emitter, is impossible."""
    for name in _COUNTS:
        if getattr(settings, name) < 1:
            raise UserError(f"{name}={getattr(settings, name)} is too small", f"type {name}=1 or more")
    for name in ("renderings", "save_seconds", "reserve"):
        if not (getattr(settings, name) or 0) >= 0:
            raise UserError(f"{name}={getattr(settings, name)} is below 0", f"type {name}=0 or more")
    for role, names in _COMPONENT_COUNTS.items():
        node = getattr(settings, role)
        if isinstance(node, dict) and str(node.get("_target_")).startswith("qd."):
            for name in names:
                if name in node:
                    _check_count(settings, f"{role}.{name}", node[name])
    workers.check(settings.workers, settings.remote)
    _check_refit(settings)
    _check_plateau(settings)


def _check_count(settings: RunSettings, key: str, count: Any) -> None:
    if isinstance(count, str) and count.startswith("@"):  # another component knows it
        return
    if key == "archive.dims" and isinstance(count, int | float | str | dict):
        measures = settings.descriptor.get("bounds") if isinstance(settings.descriptor, dict) else None
        dims = [count if isinstance(count, int) and count >= 1 else 50] * (len(measures) if isinstance(measures, list) else 2)
        raise UserError(f"{key}={count} is no list", f"type {key}={format_value(dims)}")
    numbers = count if isinstance(count, list) else [count]
    if isinstance(count, list) and not all(type(number) is int for number in count):
        raise UserError(
            f"{key}={format_value(count)} is no list of whole numbers", f"type {key}={format_value([50] * len(count))}"
        )
    if any(isinstance(number, int | float) and number < 1 for number in numbers):
        least = [number if isinstance(number, int) and number >= 1 else 50 for number in numbers]
        fix = f"type {key}={format_value(least)}" if isinstance(count, list) else f"type {key}=1 or more"
        raise UserError(f"{key}={format_value(count)} is too small", fix)


def _check_refit(settings: RunSettings) -> None:
    stops = settings.refit
    if stops == "outside":
        rule = settings.outside
        if not (0 < rule.share < 1 and rule.over >= 1):
            raise UserError(
                f"outside.share={rule.share}, outside.over={rule.over} is impossible; "
                "type outside.share=0.05 (between 0 and 1) and outside.over=2000 (evaluations)"
            )
        return
    if stops is None or (isinstance(stops, int) and not isinstance(stops, bool) and stops >= 1):
        return
    if not isinstance(stops, list) or not all(_is_point(stop) for stop in stops):
        raise UserError(f"refit={stops} is no count of evaluations; {_REFIT}")


def _is_point(stop: Any) -> bool:
    if isinstance(stop, bool):
        return False
    return stop >= 1 if isinstance(stop, int) else isinstance(stop, float) and 0 < stop < 1


def _check_plateau(settings: RunSettings) -> None:
    stop, rule = settings.stop, settings.plateau
    if stop not in (None, "plateau"):
        raise UserError(f"unknown stop={stop}", "type stop=plateau, or leave it out and the run ends at its budget")
    if stop and not (rule.over >= 1 and rule.share >= 0):
        raise UserError(
            f"plateau.share={rule.share}, plateau.over={rule.over} is impossible; "
            "type plateau.share=0.01 (a share, 0 or more) and plateau.over=10000 (evaluations)"
        )
