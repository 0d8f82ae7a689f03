"""What a run may be told besides its parts, and the default of each: the schema of conf/config.yaml."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class Suits:
    """What suits a domain; the choices in conf refer to it as ${suits.feature}."""

    feature: str = MISSING  # the hand-made feature whose columns are the measures
    bounds: Any = MISSING  # of that feature: (low, high) per column
    reads: list[str] = MISSING  # what a learner looks at
    dims: list[int] = field(default_factory=lambda: [50, 50])  # cells of a grid
    ticks: Any = None  # of descriptor=ticks: borders of uneven cells, a list for each measure; None: as generation 0 falls
    batch_size: int = 256
    threshold_min: float = 0.0  # CMA-MAE's: no higher than the worst objective worth keeping


@dataclass
class Plateau:
    """What stop=plateau calls one: neither coverage nor QD score has risen since the last relearn."""

    share: float = 0.01  # by more than this share of what they were
    over: int = 10_000  # evaluations


@dataclass
class Outside:
    """What relearn=outside waits for: so many of the offspring lie outside the bounds that they were learned for."""

    share: float = 0.05  # of the offspring
    over: int = 2_000  # of the last evaluations, at least


@dataclass
class Settings:
    """Top-level settings of ``qd run``."""

    name: str | None = None  # of the folder; None: the domain's
    seed: int = 0
    budget: int = 50_000  # evaluations
    initial: int = 100  # seeds, sampled by the domain: generation 0
    source: str | None = None  # typed as from=...: a run or a file whose solutions are generation 0, instead of samples
    stop: str | None = None  # plateau: end before the budget where nothing gets better
    plateau: Plateau = field(default_factory=Plateau)
    relearn: Any = None  # None: never; a number: every so many evaluations; a list: at these, or shares of the budget; outside
    outside: Outside = field(default_factory=Outside)
    log_every: int = 1_000  # evaluations
    save_every: int = 10_000  # evaluations
    save_seconds: float = 2.0  # but a checkpoint at most this often: each waits for the disk
    renderings: int = 100  # pictures of elites, at most
    film: str | None = None  # a feature of two numbers, such as position: where all ended is kept, for qd plot --film
    now: bool | None = None  # draw the map at each relearn too, into the folder now/: for people who answer meanwhile
    runs: str = "runs"  # the root of all run folders
    again: bool = False  # run anew where a finished run is
    console: str = "auto"  # live on a terminal, else plain; or: live, plain, off
    called: Any = None  # on figures: feature -> for each column (title, low end, high end) or (title, a name for each cell)
    columns: str | None = None  # a choice of conf/columns.yaml: what `qd export` says of each solution besides
    keep: list[str] = field(default_factory=list)  # more features to store beside each elite
    reserve: int | None = None  # room for elites that lose their cell at a relearn; None: as many as there are cells
    lm: Any = None  # shared services, built first and handed on by name
    judge_lm: Any = None  # where judges ask another language model than the generator's
    grade: Any = None
    judge: Any = None
    domain: Any = MISSING
    descriptor: Any = MISSING
    archive: Any = MISSING
    emitter: Any = MISSING
    referee: Any = None
    driver: Any = MISSING
    suits: Suits = field(default_factory=Suits)
