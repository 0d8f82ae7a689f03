"""What a run may be told, the default of each setting, and its one form in files.

``RunSettings`` is what all code is handed; ``to_config`` and ``from_config`` lead to and from the plain dict that config.yaml
and archive.json hold. ``Settings`` adds what may only be typed: it is the schema of conf/config.yaml.
"""

from collections.abc import Mapping
from dataclasses import MISSING as REQUIRED
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_type_hints

from omegaconf import MISSING

from qd.config import values
from qd.support.errors import UserError
from qd.support.moved import current_config
from qd.support.spelling import nearest

_LEFT_OUT = (
    "lm",
    "judge_lm",
    "grade",
    "judge",
    "source",
    "stop",
    "film",
    "live_map",
    "axis_labels",
    "columns",
)  # where they are not set


COMPONENTS = ("lm", "judge_lm", "grade", "judge", "domain", "descriptor", "archive", "emitter", "referee", "driver")
EARLIER = ("relearn", "called", "now", "suits")  # names of the previous version, which a user's own yaml may hold


@dataclass(frozen=True)
class DomainDefaults:
    """What suits a domain; the choices in conf refer to it as ${domain_defaults.feature}."""

    feature: str = MISSING  # the hand-made feature whose columns are the measures
    bounds: Any = MISSING  # of that feature: (low, high) per column
    reads: list[str] = MISSING  # what a learner looks at
    dims: list[int] = field(default_factory=lambda: [50, 50])  # cells of a grid
    ticks: Any = None  # of descriptor=ticks: borders of uneven cells, a list for each measure; None: as generation 0 falls
    batch_size: int = 256
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
    seed: int = 0
    budget: int = 50_000  # evaluations
    initial: int = 100  # seeds, sampled by the domain: generation 0
    source: str | None = None  # typed as from=...: a run or a file whose solutions are generation 0, instead of samples
    stop: str | None = None  # plateau: end before the budget where nothing gets better
    plateau: Plateau = field(default_factory=Plateau)
    refit: Any = None  # None: never; a number: every so many evaluations; a list: at these, or shares of the budget; outside
    outside: Outside = field(default_factory=Outside)
    log_every: int = 1_000  # evaluations
    save_every: int = 10_000  # evaluations
    save_seconds: float = 2.0  # but a checkpoint at most this often: each waits for the disk
    renderings: int = 100  # pictures of elites, at most
    film: str | None = None  # a feature of two numbers, such as position: where all ended is kept, for qd plot --film
    live_map: bool | None = None  # draw the map at each refit too, into the folder now/: for people who answer meanwhile
    runs: str = "runs"  # the root of all run folders
    again: bool = False  # run anew where a finished run is
    console: str = "auto"  # live on a terminal, else plain; or: live, plain, off
    axis_labels: Any = (
        None  # on figures: feature -> for each column (title, low end, high end) or (title, a name for each cell)
    )
    columns: str | None = None  # a choice of conf/columns.yaml: what `qd export` says of each solution besides
    keep: tuple[str, ...] = ()  # more features to store beside each elite
    reserve: int | None = None  # room for elites that lose their cell at a refit; None: as many as there are cells
    lm: Any = None  # shared services, built first and handed on by name
    judge_lm: Any = None  # where judges ask another language model than the generator's
    grade: Any = None
    judge: Any = None
    domain: Any
    descriptor: Any
    archive: Any
    emitter: Any
    referee: Any = None
    driver: Any


@dataclass(frozen=True, kw_only=True)
class Settings(RunSettings):
    """What may be typed after ``qd run``."""

    name: str | None = None  # pyright: ignore[reportIncompatibleVariableOverride]  # None: the domain's
    domain_defaults: DomainDefaults = field(default_factory=DomainDefaults)
    relearn: Any = None  # EARLIER
    called: Any = None
    now: Any = None
    suits: Any = None


_TABLES = {"plateau": Plateau, "outside": Outside}


def to_config(settings: RunSettings) -> dict[str, Any]:
    """Returns the plain dict that config.yaml and archive.json hold.

    Optional settings that are not set are left out, and so are their tables: a setting that is added later then changes no hash
    of an older run.
    """
    config = {f.name: getattr(settings, f.name) for f in fields(RunSettings)}
    config |= {"plateau": asdict(settings.plateau), "outside": asdict(settings.outside), "keep": list(settings.keep)}
    if settings.stop is None:
        del config["plateau"]
    if settings.refit != "outside":
        del config["outside"]
    return {name: value for name, value in config.items() if value is not None or name not in _LEFT_OUT}


def from_config(config: Mapping[str, Any]) -> RunSettings:
    """Reads what ``to_config`` wrote, also in an earlier version.

    Raises:
        UserError: a setting is missing, unknown or of the wrong kind.
    """
    config = current_config(dict(config))
    table = {f.name: f for f in fields(RunSettings)}
    required = [name for name, f in table.items() if f.default is REQUIRED and f.default_factory is REQUIRED]
    if lacking := [name for name in required if name not in config]:
        raise UserError(f"it lacks {', '.join(lacking)}")
    if unknown := [name for name in config if name not in table]:
        raise UserError(f"there is no setting {unknown[0]!r}; there is {nearest(unknown[0], sorted(table), most=3)}")
    _check_kinds(config)
    typed: dict[str, Any] = {"keep": tuple(config.get("keep", ()))}
    for name, table_type in _TABLES.items():
        if name in config:
            typed[name] = _table(name, table_type, config[name])
    return RunSettings(**{**config, **typed})


def _check_kinds(config: Mapping[str, Any]) -> None:
    """Raises UserError where a setting is of another kind than its annotation says."""
    hints = get_type_hints(RunSettings)
    for name, value in config.items():
        if name in _TABLES:
            continue
        if isinstance(value, dict) and hints[name] is not Any:
            raise UserError(f"its {name} is a table", f"type {name}=...")
        if name in COMPONENTS and value is not None and not isinstance(value, dict):
            raise UserError(f"its {name} is {str(value)[:60]}, no component", f"type {name}=...")
        values.check(name, value, hints[name])


def _table(name: str, table_type: Any, value: Any) -> Any:
    """Returns a table of settings. Raises UserError where a name or a value of it is wrong."""
    hints = get_type_hints(table_type)
    if not isinstance(value, Mapping) or not value.keys() <= hints.keys():
        raise UserError(
            f"its {name} is {str(value)[:60]}, no table of {' and '.join(hints)}", f"type {name}.{next(iter(hints))}=..."
        )
    for key, each in value.items():
        values.check(f"{name}.{key}", each, hints[key])
    return table_type(**value)
