"""What is wrong with a recipe, found by a dry run before its budget is spent."""

import resource
import sys
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, archives, checks, keys
from qd.config import compose
from qd.config.build import import_users_modules
from qd.config.settings import RunSettings
from qd.doctor import reach
from qd.doctor.probes import PROBES
from qd.doctor.trial import RAISED, SEEDS, Finding, Trial, archive_bytes, fault, try_out
from qd.remote import overhead
from qd.runner.display.console import clock
from qd.store import solutions
from qd.support.errors import UserError

SAMPLES = 1_000
_TILES = 10  # along a measure


class Report(NamedTuple):
    facts: list[str]
    findings: list[Finding]
    seconds: tuple[float, float] | None = None  # range of a run of the whole budget, without compilation
    coverage: tuple[float, float] | None = None  # range of the percentage of cells that it fills; None where there are none


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
    """Tries a recipe out and probes what it did; arguments as in ``findings``.

    Returns:
        Facts in words (components, evaluations, measures, time, memory) and faults. A part that cannot be built is a fault;
        of a domain that another program evaluates only the components are named.
    """
    if samples < 1:
        raise UserError(f"--samples {samples} is no count", f"type --samples {SAMPLES}")
    import_users_modules()
    settings = compose.load(overrides)
    try:
        parts = compose.assemble(replace(settings, refit=None))  # a refit of what does not learn has a probe of its own
    except RAISED as error:
        return Report([], [fault(error)])
    facts = [_components(parts)]
    if abilities.of_domain(parts.search.domain).external:
        return Report([*facts, "its domain is evaluated by another program, so that there is nothing to try"], [])
    try:
        return _probe(settings, parts, facts, samples)
    finally:
        if abilities.of_domain(parts.search.domain).dispatcher:
            parts.search.domain.close()


def _probe(settings: RunSettings, parts: Any, facts: list[str], samples: int) -> Report:
    try:
        trial = Trial(settings, parts.search, parts.run, _initial(settings, parts.search.domain))
    except RAISED as error:
        return Report(facts, [fault(error)])
    end = try_out(trial, samples)
    faults = [end] if end else []
    for probe in PROBES:
        try:
            faults += probe(trial)
        except RAISED as error:
            faults.append(fault(error))
    cost = overhead.of(trial.search.domain, trial.seeds, trial.evaluation)
    if cost is not None and not cost.pays:
        faults.append(Finding("workers", str(cost), "the command without workers, or with remote.chunk=16"))
    seconds = trial.timing.seconds(settings.budget) if trial.timing else None
    return Report(facts + _facts(trial) + ([str(cost)] if cost else []), faults, seconds, reach.coverage(trial))


def _initial(settings: RunSettings, domain: Any) -> Any:
    if settings.source:
        return solutions.load(settings.source, domain).solutions[:SEEDS]
    n = min(settings.initial, SEEDS)
    sample = domain.sample(keys.split(keys.new(settings.seed))[0], n)
    checks.sampled(domain, sample, n)
    return archives.objects(sample) if isinstance(sample, list) else np.asarray(sample)


def _components(parts: Any) -> str:
    def where(part: Any) -> str:
        return f"{type(part).__name__} ({'pure' if part.pure else 'on the host'})"

    domain, descriptor, archive, emitter = parts.search[:4]
    names = [where(domain), where(descriptor), type(archive).__name__, where(emitter)]
    return f"{', '.join(names)}; driver {parts.run.__module__}"


def _facts(trial: Trial) -> list[str]:
    """Returns lines on what the trial cost and reached."""
    if trial.state is None:
        return []
    rows, (low, high) = trial.measures(), np.asarray(trial.search.descriptor.bounds, float).T
    archive = trial.state.archive
    facts = [f"{trial.state.evaluations:,} evaluations: {100 * (1 - trial.valid().mean()):.1f} % failed, "
             f"{100 * ((rows < low) | (rows > high)).any(axis=1).mean():.1f} % outside the bounds"]  # fmt: skip
    if len(rows):
        spans = zip(rows.min(0), rows.max(0), low, high, strict=True)
        facts += [f"measure {i}: {a:.3g} to {b:.3g}, bounds {lo:g} to {hi:g}" for i, (a, b, lo, hi) in enumerate(spans)]
        facts.append(_reach(trial, low, high))
    if covered := reach.coverage(trial):
        least, most = covered
        facts.append(f"coverage: {least:.0f} to {most:.0f} % of the cells after {trial.settings.budget:,} evaluations")
    facts += _time(trial)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    facts.append(f"memory: {used / 2**20:,.0f} MB so far; a full archive takes {archive_bytes(archive) / 2**20:,.1f} MB")
    return facts


def _reach(trial: Trial, low: np.ndarray, high: np.ndarray) -> str:
    """Returns how much of the map the initial solutions and the trial have reached; a search may reach more, or all."""
    batch, archive = trial.batches[0], trial.state.archive  # type: ignore[union-attr]
    first = np.asarray(batch.measures, float)[batch.status >= 0]
    count = archives.count_cells(archive)
    cells = f" of {count:,} cells" if count else ""
    shape = " x ".join([str(_TILES)] * min(2, len(low)))
    early, late = (100 * tiles_reached(rows, low, high) for rows in (first, trial.measures()))
    return (
        f"{len(archive):,} elites{cells}; of {shape} tiles of the map the {len(first):,} initial solutions reached "
        f"{early:.0f} %, the whole trial {late:.0f} %: a longer search may reach more"
    )


def tiles_reached(measures: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Returns the share of ten tiles along each of the first two measures in which a row lies.

    Args:
        measures: [R, M]
        low: [M] lower bounds.
        high: [M] upper bounds.
    """
    place = np.clip(((measures - low) / (high - low) * _TILES)[:, :2].astype(int), 0, _TILES - 1)
    return len(np.unique(place, axis=0)) / _TILES ** place.shape[1]


def _time(trial: Trial) -> list[str]:
    if trial.timing is None:
        return []
    budget, rates = trial.settings.budget, trial.timing.rates
    least, most = trial.timing.seconds(budget)
    refits = ", without refits" if trial.settings.refit else ""
    return [
        f"time: {clock(least)} to {clock(most)} for {budget:,} evaluations{refits} "
        f"({min(rates):,.0f} to {max(rates):,.0f}/s here), and up to {trial.timing.compile_s:,.0f} s of compilation"
    ]
