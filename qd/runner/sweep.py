"""``qd run -m``: each combination of the listed values is a run in its own folder. Typed again, only what is missing is done.

A run that raises stops no other; at the end the failed ones are named, and the rest is collected into one table.
Hydra's launchers decide where runs are done: one after another (the default), joblib, submitit. Its own sweeper is not used:
it writes values in its own way (1e-3 becomes 0.001, so that a run alone would lie in another folder), ends the sweep where
one combination cannot be composed, and a callback of it can refuse nothing: what it raises becomes a warning.
"""

import io
import math
import re
import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ValueType
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from qd.config.build import import_users_modules
from qd.config.compose import compose_settings, folder, resolve
from qd.config.overrides import SWEEP, check, hydra_overrides, open_hydra, translate_errors
from qd.runner.outcomes import Attempt, RunOutcome, conclude
from qd.runner.terminal import job
from qd.support.errors import UserError
from qd.support.signals import StoppedBySignal
from qd.support.spelling import unknown


class PlannedRun(NamedTuple):
    """One run of a sweep."""

    name: str  # distinguishes it from the others
    overrides: list[str]
    folder: Path | None  # None where its settings are wrong
    why: str = ""  # they are wrong


def sweep(args: list[str]) -> int:
    """Does what is missing of a sweep; returns 1 where a run failed. Raises ValueError where nothing can be run."""
    overrides = [arg for arg in args if arg not in SWEEP]
    with open_hydra():
        check(overrides)
        master = _master(overrides)
        planned = [_plan(*each) for each in _combinations(master)]
        _check_apart(planned)
        runs = [each for each in planned if not each.why]
        print(f"a sweep of {len(planned)} runs in {', '.join(sorted({str(r.folder.parent) for r in runs if r.folder}))}")
        failures = _launch(master, [each.overrides for each in runs]) if runs else []
    why = {each.name: each.why for each in planned} | {each.name: text for each, text in zip(runs, failures, strict=True)}
    return conclude([_outcome(each, why[each.name]) for each in planned], "the sweep")


def _master(overrides: list[str]) -> Any:
    """Returns Hydra's config of the sweep itself. Raises ValueError on another sweeper or a launcher that is not installed."""
    for override in overrides:
        group, _, launcher = override.partition("=")
        options = (
            GlobalHydra.instance().config_loader().get_group_options("hydra/launcher") if group == "hydra/launcher" else []
        )
        if options and launcher not in options:
            raise unknown("launcher", launcher, options, otherwise="; joblib and submitit need pip install 'qd-atlas[sweep]'")
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    arguments = ["hydra/hydra_logging=none", *hydra_overrides(overrides)]
    master = hydra.compose_config(
        "config", arguments, run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False
    )
    if not master.hydra.sweeper._target_.endswith(".BasicSweeper"):
        raise UserError(
            "sweeps run each combination of the values that you list, seed=0,1,2 or seed=range(0,5)", "leave out hydra/sweeper"
        )
    return master


def _combinations(master: Any) -> list[tuple[str, list[str], list[str]]]:
    """Returns the name of each run, its overrides, and those by which an earlier version named its folder."""
    swept_params = [f"{key}={values}" for key, values in (master.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    choices: dict[str, list[tuple[str, str]]] = {}  # key -> override now, override of an earlier version
    for override in parser.parse_overrides([*swept_params, *master.hydra.overrides.task]):
        key, line = override.get_key_element(), override.input_line
        if not override.is_sweep_override():
            choices[key] = [(line or "", line or "")]
        elif override.is_discrete_sweep():
            values = list(override.sweep_string_iterator())
            is_range = override.value_type is ValueType.RANGE_SWEEP
            exact = exact_range(override.value(), values, line or "") if is_range else values
            choices[key] = [
                (f"{key}={now}", f"{key}={before}") for now, before in zip(exact, _before(exact, values), strict=True)
            ]
            if not choices[key]:
                raise UserError(f"{line} lists no values, so that nothing runs", f"type {key}=1,2,3 or {key}=range(0,5)")
        else:
            raise UserError(f"{line} lists no values", f"type {key}=1,2,3 or {key}=range(0,5)")
    varied = {line for lines in choices.values() if len(lines) > 1 for line, _ in lines}
    combinations = []
    for run in product(*choices.values()):
        overrides, earlier = [now for now, _ in run], [before for _, before in run]
        name = " ".join(line.lstrip("+") for line in overrides if line in varied)
        combinations.append((name or "the only run", overrides, earlier))
    return combinations


def exact_range(sweep: Any, values: Sequence[str], line: str) -> list[str]:
    """Returns the numbers of a range without the rounding of its steps: 0.7 for 0.7000000000000001, and never its end.

    Hydra 1.3.8 turns a range that is sorted the other way into one with other numbers (findings/hydra_reversed_range.sh), so
    that they are taken from the range as it was typed.

    Args:
        sweep: Hydra's RangeSweep.
        values: its numbers as Hydra adds them up; where these are shuffled they stay.
        line: the override, e.g. x=sort(range(1,6,2),reverse=true).

    Returns:
        The numbers as text, whole ones without a point.
    """
    if sweep.shuffle:
        return list(values)
    typed = re.search(r"range\([^()]*\)", line) if "sort" in line else None
    whole: Any = OverridesParser.create().parse_override(f"x={typed[0]}").value() if typed else sweep
    start, stop, step = (Decimal(repr(number)) for number in (whole.start, whole.stop, whole.step))
    numbers = [start + i * step for i in range(max(0, math.ceil((stop - start) / step)))]
    if sweep.step * whole.step < 0:
        numbers.reverse()
    is_whole = all(isinstance(number, int) for number in (whole.start, whole.stop, whole.step))
    return [str(number) if is_whole else repr(float(number)) for number in numbers]


def _before(exact: Sequence[str], values: Sequence[str]) -> list[str]:
    """Returns for each number of a range the text of an earlier version, where that stood for the same number."""
    is_same = [i < len(values) and (now == values[i] or _is_close(now, values[i])) for i, now in enumerate(exact)]
    return [values[i] if same else now for i, (now, same) in enumerate(zip(exact, is_same, strict=True))]


def _is_close(one: str, other: str) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-9, abs_tol=1e-12)
    except ValueError:
        return False


def _plan(name: str, overrides: list[str], earlier: list[str]) -> PlannedRun:
    """Composes a run and names its folder; one with a wrong config does not stop the others.

    Args:
        name: distinguishes it from the others.
        overrides: of the run.
        earlier: its overrides in an earlier version, which are taken where they have a folder already.

    Returns:
        The run, or why it cannot be.
    """
    try:
        with translate_errors():
            if earlier != overrides and (path := folder(compose_settings(earlier), earlier)).exists():
                return PlannedRun(name, earlier, path)
            return PlannedRun(name, overrides, folder(compose_settings(overrides), overrides))
    except ValueError as error:
        return PlannedRun(name, overrides, None, str(error))


def _outcome(run: PlannedRun, why: str) -> RunOutcome:
    return RunOutcome(run.name, run.folder, "failed" if why else "finished", why)


def _check_apart(planned: list[PlannedRun]) -> None:
    """Raises ValueError where two runs of a sweep are the same run."""
    names: dict[Path, str] = {}
    for each in planned:
        if each.folder is None:
            continue
        if each.folder in names:
            raise UserError(
                f"two runs of this sweep have one folder, {each.folder}: {names[each.folder]!r} and {each.name!r}; "
                "list each value once, and neither budget nor console"
            )
        names[each.folder] = each.name


def _launch(master: Any, jobs: list[list[str]]) -> list[str]:
    """Runs them all, and returns why each failed, '' where it did not."""
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(master))
    launcher = Plugins.instance().instantiate_launcher(config=master, hydra_context=context, task_function=_run)
    return [str(returned.return_value) for returned in launcher.launch(jobs, initial_job_idx=0)]


def _run(cfg: Any) -> str:
    """One run, perhaps in another process; returns why it failed, or ''.

    Raises:
        KeyboardInterrupt: it was stopped, with a checkpoint; then the sweep stops too.
    """
    hydra_config, attempt = HydraConfig.get(), Attempt()
    alone = hydra_config.launcher._target_.endswith(".BasicLauncher")
    with attempt:
        import_users_modules()
        settings, overrides = resolve(cfg, dict(hydra_config.runtime.choices)), list(hydra_config.overrides.task)
        attempt.folder = folder(settings, overrides)
        if alone and settings.console != "off":
            print(f"\n{attempt.folder}")
        result = job(settings, overrides, None if alone else _PrefixedOutput(attempt.folder.name))
        if result["status"] == "stopped":
            raise StoppedBySignal(result["signal"])
        if result["status"] == "spent":
            attempt.why = "its budget for a language model is used up: raise it and type the same command"
    return attempt.why


class _PrefixedOutput(io.StringIO):
    """Standard output with the run's name before each line: runs of a sweep print at the same time."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def write(self, text: str) -> int:
        return sys.stdout.write(f"{self.name}: {text}" if text.strip() else text)

    def flush(self) -> None:
        sys.stdout.flush()
