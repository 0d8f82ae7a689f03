"""What `qd doctor` looks for in a trial: one function a fault, each names the fault and what to type.

R rows of the trial, M measures.
"""

from collections.abc import Callable, Iterator

import numpy as np

from qd import abilities, archives, outcomes
from qd.doctor import drift
from qd.doctor.trial import Finding, Trial
from qd.runner import refits
from qd.store import archive_file
from qd.types import Rendering

_FAILED, _OUTSIDE, _PASSING = 0.2, 0.2, 0.05  # shares of rows
_STILL = 1e-6  # of the bounds' width: measures that vary less do not vary
_REACHED = 0.01  # of the bounds' width: measures that span less reach few cells
_GENERATIONS = 10  # a search of fewer is none
_SLOW = 24 * 3600  # seconds
_ENOUGH = 20  # rows: below it nothing is concluded from them


def same_key(trial: Trial) -> Iterator[Finding]:
    """The same key twice differs."""
    first = trial.evaluation if trial.plain is None else trial.plain
    if first is None:
        return
    names = ["objective", *first.features]
    columns = zip(names, (first.objective, *first.features.values()), trial.repeat, strict=True)
    differ = [name for name, one, two in columns if not _equal(one, two)]
    if differ:
        yield Finding(
            "random",
            f"the same key gives another {', '.join(differ)} the second time",
            "all randomness drawn from the keys that evaluate is given: no numpy.random, no random, no clock",
        )


def compilation(trial: Trial) -> Iterator[Finding]:
    """jax.jit of evaluate and evaluate itself disagree, by more than rounding explains."""
    if any(same_key(trial)):
        return
    disagreements = drift.disagreements(trial)
    if disagreements:
        yield Finding(
            "jit",
            f"compiled by JAX, evaluate gives another {'; another '.join(map(str, disagreements))} than as it stands",
            "jax.numpy for whatever depends on the solutions or the keys, or pure = False",
        )


def seeds(trial: Trial) -> Iterator[Finding]:
    """Seeds that are all the same, or too few for a learner."""
    n, initial = len(trial.seeds), trial.settings.initial
    if n > 1 and all(_equal(trial.seeds[i], trial.seeds[0]) for i in range(1, n)):
        yield Finding("seeds", f"all {n} seeds are the same", "initial=1, or a sample that differs from solution to solution")
    least = max(10, 5 * len(trial.search.descriptor.bounds))
    if abilities.of_descriptor(trial.search.descriptor).learns and n < least and not trial.settings.source:
        yield Finding("few seeds", f"the descriptor learns from {initial} seeds", f"initial={max(least, 100)}")


def failures(trial: Trial) -> Iterator[Finding]:
    """Evaluations that fail."""
    objective = trial.evaluation.objective if trial.evaluation is not None else np.zeros(1)
    share = 1 - np.isfinite(np.asarray(objective, float)).mean()
    if trial.batches:
        share = max(share, 1 - trial.valid().mean())
    if share > _FAILED:
        why = outcomes.why_failed(trial.search.domain, trial.seeds)
        what = (
            "; ".join(filter(None, (f"the first because: {why.reason}", why.problem)))
            if why.reason
            else "an objective or a measure is NaN or infinite"
        )
        yield Finding(
            "failures",
            f"{100 * share:.0f} % of the evaluations failed ({what})",
            why.fix.removeprefix("type ")
            or "domain.evaluate on a few by hand; a sample from a smaller space; an objective without log(0) or 0/0",
        )


def features(trial: Trial) -> Iterator[Finding]:
    """Features that do not vary, or are not finite where the objective is."""
    if trial.evaluation is None:
        return
    good = np.isfinite(np.asarray(trial.evaluation.objective, float))
    if not good.any():  # all failed, which has a probe of its own
        return
    for name in trial.evaluation.features:
        column = np.asarray(trial.evaluation.features[name], float)
        if not np.isfinite(column[good]).all():
            yield Finding(
                "not finite", f"the feature {name!r} is NaN or infinite where the objective is not",
                "an objective of NaN where a feature is not defined, or a feature without 0/0",
            )  # fmt: skip
            continue
        later = [np.asarray(batch.evaluation.features[name], float)[batch.status >= 0] for batch in trial.batches]
        rows = np.concatenate([column[good], *later]).reshape(good.sum() + sum(map(len, later)), -1)
        if len(rows) >= _ENOUGH and rows.size and np.ptp(rows, axis=0).max() == 0:
            yield Finding("still feature", f"the feature {name!r} is the same in {len(rows):,} evaluations",
                          "another domain_defaults.feature or .reads, or a feature that depends on the solution")  # fmt: skip


def measures(trial: Trial) -> Iterator[Finding]:
    """Measures that do not vary, that span little of the bounds, or of which two are the same."""
    if not trial.batches or len(rows := trial.measures()) < _ENOUGH:
        return
    low, high = np.asarray(trial.search.descriptor.bounds, float).T
    span = np.ptp(np.clip(rows, low, high), axis=0) / (high - low)
    for axis, share in enumerate(span):
        begin, end = rows[:, axis].min(), rows[:, axis].max()
        if np.ptp(rows[:, axis]) <= _STILL * (high - low)[axis]:
            yield Finding("still measure", f"measure {axis} is {begin:.4g} in all of {len(rows):,} evaluations",
                          "another domain_defaults.feature, or larger steps (emitter.variation.iso=...)")  # fmt: skip
        elif share < _REACHED:
            yield Finding(
                "dead cells",
                f"measure {axis} lies between {begin:.4g} and {end:.4g}: {100 * share:.2g} % of its bounds "
                f"({low[axis]:g}, {high[axis]:g}), so that few cells were reached",
                "domain_defaults.bounds=... of what can be reached",
            )
    moving = [axis for axis in range(len(span)) if np.ptp(rows[:, axis]) > _STILL * (high - low)[axis]]
    for i, one in enumerate(moving):
        for other in moving[i + 1 :]:
            if abs(np.corrcoef(rows[:, one], rows[:, other])[0, 1]) > 0.9999:
                yield Finding("twins", f"measures {one} and {other} are the same: only a diagonal of cells can be reached",
                              "another descriptor.columns, or another feature")  # fmt: skip


def outside(trial: Trial) -> Iterator[Finding]:
    """Measures outside the bounds: they crowd the border cells."""
    if not trial.batches or not len(rows := trial.measures()):
        return
    low, high = np.asarray(trial.search.descriptor.bounds, np.float32).astype(float).T
    share = ((rows < low) | (rows > high)).any(axis=1).mean()
    if share > _OUTSIDE:
        reach = ", ".join(f"[{a:.3g}, {b:.3g}]" for a, b in zip(rows.min(0), rows.max(0), strict=True))
        yield Finding(
            "outside", f"{100 * share:.0f} % of the measures lie outside the bounds", f"domain_defaults.bounds=[{reach}]"
        )


def ticks(trial: Trial) -> Iterator[Finding]:
    """A measure of few values on an axis of many cells."""
    dims = abilities.of_archive(trial.search.archive).dims
    if not trial.batches or dims is None or len(rows := trial.measures()) < 10 * _ENOUGH:
        return
    for axis, cells in enumerate(dims):
        values = len(np.unique(rows[:, axis]))
        if 1 < values <= cells / 4 and values <= len(rows) / 20:
            others = ",".join(str(values if i == axis else n) for i, n in enumerate(dims))
            yield Finding(
                "ticks", f"measure {axis} has only {values} values, on {cells} cells", f"domain_defaults.dims=[{others}]"
            )


def objectives(trial: Trial) -> Iterator[Finding]:
    """Objectives outside the range that the QD score is scaled by, or below the archive's threshold."""
    if trial.evaluation is None or not np.isfinite(trial.evaluation.objective).any():
        return
    objective = trial.objective() if trial.batches else trial.evaluation.objective[np.isfinite(trial.evaluation.objective)]
    worst, best = float(objective.min()), float(objective.max())
    scale = abilities.of_domain(trial.search.domain).objective_range
    if scale is not None:
        slack = 1e-3 * (scale[1] - scale[0])
        if best > scale[1] + slack or best < scale[0] - slack:
            where = "above" if best > scale[1] else "below"
            yield Finding(
                "range", f"the best objective is {best:.4g}, {where} the domain's objective_range {tuple(scale)}",
                f"objective_range = ({min(worst, scale[0]):.4g}, {max(best, scale[1]):.4g}) in the domain",
            )  # fmt: skip
    threshold = abilities.of_archive(trial.search.archive).threshold_min
    if threshold is not None and (passing := float((objective > threshold).mean())) < _PASSING:
        yield Finding("threshold", f"{100 * passing:.0f} % of the objectives lie above threshold_min={threshold:g}; "
                      f"the best is {best:.4g}", f"archive.threshold_min={worst:.4g}")  # fmt: skip


def budget(trial: Trial) -> Iterator[Finding]:
    """A budget that is too small for the batch, the archive or the refits; or one that takes days."""
    evaluations, size = trial.settings.budget, trial.batch_size
    if size and (generations := max(evaluations - len(trial.seeds), 0) / size) < _GENERATIONS:
        yield Finding("batch", f"a budget of {evaluations:,} is {generations:.1f} generations of {size:g}",
                      f"budget={round(100 * size)}, or a smaller domain_defaults.batch_size")  # fmt: skip
    cells = None if trial.state is None else archives.count_cells(trial.state.archive)
    if cells is not None and cells > evaluations:
        yield Finding("cells", f"{cells:,} cells cannot be filled by {evaluations:,} evaluations",
                      f"fewer cells (domain_defaults.dims=..., archive.cells=...), or budget={10 * cells}")  # fmt: skip
    if trial.timing and (least := trial.timing.seconds(evaluations)[0]) > _SLOW:
        yield Finding("slow", f"the whole budget takes {least / 3600:,.0f} hours or more here", "a smaller budget=...")
    stops = trial.settings.refit
    if stops and abilities.of_descriptor(trial.search.descriptor).learns is False:
        who = type(trial.search.descriptor).__name__
        yield Finding("refit", f"refit={stops}, but {who} does not learn", "refit=null, or another descriptor")
    late = [stop for stop in ([stops] if isinstance(stops, int) else refits.points(trial.settings)) if stop >= evaluations]
    if late:
        yield Finding("refit", f"refit={late} is not before the end of the budget, {evaluations:,}", f"budget={2 * max(late)}")
    if report := refits.unused_questions(trial.settings, trial.search.descriptor):
        problem, fix = report
        yield Finding("questions", problem, fix.removeprefix("type "))


def children(trial: Trial) -> Iterator[Finding]:
    """Offspring that are what was there before."""
    later = [batch.solutions for batch in trial.batches[1:]]
    if not later or np.asarray(later[0]).dtype == object:
        return
    rows = np.concatenate(later).reshape(sum(map(len, later)), -1)
    if len(rows) >= _ENOUGH and (share := len(np.unique(rows, axis=0)) / len(rows)) < 0.5:
        yield Finding("children", f"only {100 * share:.0f} % of the offspring differ from each other",
                      "an emitter of larger steps (emitter.variation.iso=..., sigma=...)")  # fmt: skip


def storage(trial: Trial) -> Iterator[Finding]:
    """What a run would write at its end."""
    if trial.state is None:
        return
    archive_file.columns(trial.state.archive)
    render = abilities.of_domain(trial.search.domain).render
    if render is not None and trial.settings.renderings:
        renderings = render(trial.seeds[:1])
        kinds = [each.kind if isinstance(each, Rendering) else type(each).__name__ for each in renderings]
        if len(renderings) != 1 or not set(kinds) <= {"svg", "png", "gif", "text", "html", "audio"}:
            yield Finding("render", f"render gives {kinds} for one solution", "return [Rendering(kind, data)] of qd.types")


def domain_faults(trial: Trial) -> Iterator[Finding]:
    """What a domain itself finds wrong, where it looks: that a judge cannot tell the ends of an axis apart."""
    for fault in abilities.of_domain(trial.search.domain).faults():
        yield Finding(*fault)


PROBES: tuple[Callable[[Trial], Iterator[Finding]], ...] = (
    failures, same_key, compilation, seeds, features, measures, outside, ticks, objectives, budget, children, storage,
    domain_faults,
)  # fmt: skip


def _equal(one: np.ndarray, two: np.ndarray) -> bool:
    one, two = np.asarray(one), np.asarray(two)
    if one.dtype == object or two.dtype == object:
        return one.shape == two.shape and bool(np.all(one == two))
    return one.shape == two.shape and bool(np.array_equal(one, two, equal_nan=one.dtype.kind == "f"))
