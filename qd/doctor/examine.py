"""What is wrong with a recipe, found by a dry run before its budget is spent."""

import resource
import sys
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, archives, keys
from qd.config import compose
from qd.config.build import import_users_modules
from qd.config.settings import RunSettings
from qd.doctor.probes import PROBES
from qd.doctor.trial import RAISED, SEEDS, Finding, Trial, archive_bytes, fault, try_out
from qd.runner.console import clock
from qd.store import solutions
from qd.support.errors import UserError

SAMPLES = 1_000


class Report(NamedTuple):
    facts: list[str]
    findings: list[Finding]


def findings(overrides: list[str], samples: int = SAMPLES) -> list[Finding]:
    """Returns what is wrong with a recipe.

    Args:
        overrides: the words after ``qd run``.
        samples: about how many evaluations the search is tried for, 1 or more.

    Returns:
        The faults, as in ``examine``; none where nothing is wrong.

    Raises:
        ValueError: words that cannot be, or ``samples`` below 1.
    """
    return examine(overrides, samples).findings


def examine(overrides: list[str], samples: int = SAMPLES) -> Report:
    """Tries a recipe out and probes what it did.

    Args:
        overrides: the words after ``qd run``.
        samples: about how many evaluations the search is tried for, 1 or more.

    Returns:
        Facts in words (components, evaluations, measures, time, memory) and faults. A part that cannot be built is a fault;
        of a domain that another program evaluates only the components are named.

    Raises:
        ValueError: words that cannot be, or ``samples`` below 1.
    """
    if samples < 1:
        raise UserError(f"--samples {samples} is no count", f"type --samples {SAMPLES}")
    import_users_modules()
    settings = compose.load(overrides)
    try:
        parts = compose.assemble(replace(settings, refit=None))  # a refit of what does not learn has a probe of its own
    except ValueError as error:
        return Report([], [fault(error)])
    facts = [_who(parts)]
    if abilities.of_domain(parts.search.domain).external:
        return Report([*facts, "its domain is evaluated by another program, so that there is nothing to try"], [])
    return _probed(settings, parts, facts, samples)


def _probed(settings: RunSettings, parts: Any, facts: list[str], samples: int) -> Report:
    try:
        trial = Trial(settings, parts.search, _seeds(settings, parts.search.domain))
    except RAISED as error:
        return Report(facts, [fault(error)])
    stopped = try_out(trial, samples)
    found = [stopped] if stopped else []
    for probe in PROBES:
        try:
            found += probe(trial)
        except RAISED as error:
            found.append(fault(error))
    return Report(facts + _facts(trial), found)


def _seeds(settings: RunSettings, domain: Any) -> Any:
    if settings.source:
        return solutions.load(settings.source, domain).solutions[:SEEDS]
    drawn = domain.sample(keys.split(keys.new(settings.seed))[0], min(settings.initial, SEEDS))
    return archives.objects(drawn) if isinstance(drawn, list) else np.asarray(drawn)


def _who(parts: Any) -> str:
    def where(part: Any) -> str:
        return f"{type(part).__name__} ({'pure' if part.pure else 'on the host'})"

    domain, descriptor, archive, emitter = parts.search[:4]
    said = [where(domain), where(descriptor), type(archive).__name__, where(emitter)]
    return f"{', '.join(said)}; driver {parts.run.__module__}"


def _facts(trial: Trial) -> list[str]:
    """Says what the trial cost and reached."""
    if trial.state is None:
        return []
    rows, (low, high) = trial.measures(), np.asarray(trial.search.descriptor.bounds, float).T
    n, archive, each = trial.state.evaluations, trial.state.archive, trial.seconds
    facts = [f"{n:,} evaluations: {100 * (1 - trial.judged().mean()):.1f} % failed, "
             f"{100 * ((rows < low) | (rows > high)).any(axis=1).mean():.1f} % outside the bounds"]  # fmt: skip
    if len(rows):
        reach = zip(rows.min(0), rows.max(0), low, high, strict=True)
        facts += [f"measure {i}: {a:.3g} to {b:.3g}, bounds {lo:g} to {hi:g}" for i, (a, b, lo, hi) in enumerate(reach)]
        count = archives.count_cells(archive)
        cells = f" of {count:,} cells" if count else ""
        dead = 100 * _dead(rows, low, high)
        facts.append(f"{len(archive):,} elites{cells}; about {dead:.0f} % of the map lie where nothing came near (an estimate)")
    if each:
        whole = trial.settings.budget
        facts.append(f"time: at most about {clock(each * whole)} for {whole:,} evaluations ({1 / each:,.0f}/s, batch by batch)")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    facts.append(f"memory: {used / 2**20:,.0f} MB so far; a full archive takes {archive_bytes(archive) / 2**20:,.1f} MB")
    return facts


def _dead(rows: np.ndarray, low: np.ndarray, high: np.ndarray, tiles: int = 10) -> float:
    """Returns the share of the first two measures' tiles in which no row fell."""
    place = np.clip(((rows - low) / (high - low) * tiles)[:, :2].astype(int), 0, tiles - 1)
    return 1 - len(np.unique(place, axis=0)) / tiles ** place.shape[1]
