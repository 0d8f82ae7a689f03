"""``qd run seeds=20``: many seeds of one search in one process, compiled once; each in its own folder, as if run alone.

Each seed is a job of its own, a few at a time on threads: XLA lets go of Python while it computes. The folders are those
of seed=0, seed=1, ...: what is finished is skipped, what was cut off goes on.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from qd import abilities, fused
from qd.config.compose import Components, assemble, compose_settings, folder
from qd.config.estimate import Consent, by_terminal
from qd.config.overrides import SEEDS, check, count_seeds, open_hydra
from qd.config.settings import RunSettings
from qd.programs import remember
from qd.runner.display.console import Console, scores
from qd.runner.outcomes import EXIT, Attempt, RunOutcome, conclude
from qd.runner.run import run
from qd.runner.stopping import Stop
from qd.store import folder as run_folder
from qd.support import signals
from qd.support.errors import UserError
from qd.support.signals import on_stop_signal

_MEANS, _SUMS = ("coverage", "qd_score"), ("evals", "failed")


def many(args: list[str]) -> int:
    """Runs the words of ``qd run`` for the number of seeds that they state, from ``seed`` on; returns the exit status.

    Raises:
        UserError: not a number of seeds, or a component that is not compiled with the rest; it is named.
    """
    remember()
    words = [arg for arg in args if not arg.startswith(SEEDS)]
    count = count_seeds([arg.removeprefix(SEEDS) for arg in args if arg.startswith(SEEDS)])
    with open_hydra():
        check(words)
        first = compose_settings(words)
        others = range(first.seed + 1, first.seed + count)
        each = [first, *(compose_settings([*words, f"seed={seed}"]) for seed in others)]
    paths = [folder(settings, words) for settings in each]
    jobs = [(settings, assemble(settings, path), path) for settings, path in zip(each, paths, strict=True)]
    _check_fused(jobs[0][1], count)
    pending = [settings for settings, path in zip(each, paths, strict=True) if not _is_finished(settings, path)]
    console, stop = Console(sum(settings.budget for settings in pending), first.console), Stop()
    if len(pending) < count:
        console.say(f"{len(pending)} of {count} seeds to run{_seeds(pending)}; the rest is finished")
    try:
        outcomes = _run_all(jobs, Board(console), stop, _consents(pending, _width(jobs), stop))
    finally:
        console.stop()
    status = conclude(outcomes, "the command", show=console.mode != "off")
    if any(outcome.status == "stopped" for outcome in outcomes):
        console.say(f"stopped{signals.words(stop.signal)}; the same command continues what is not finished")
    return signals.exit_status(stop.signal) if status == EXIT["stopped"] else status


def _consents(pending: list[RunSettings], width: int, stop: Stop) -> dict[int, Consent]:
    """Returns seed -> consent: the first seed is measured, and asks for all; where the answer is no, all stop."""
    if not pending:
        return {}

    def ask(question: str) -> bool:
        agreed = by_terminal(question)
        if not agreed:
            stop.request()
        return agreed

    first, *rest = pending
    others = sum(settings.budget for settings in rest)
    return {first.seed: Consent(first.budget, bool(first.yes), ask, others=others, at_once=min(width, len(pending)))}


def _is_finished(settings: RunSettings, path: Path) -> bool:
    """Whether a seed has its result already, so that its evaluations are not counted."""
    result = None if settings.again else run_folder.result(path)
    return result is not None and (result["evaluations"] >= settings.budget or result.get("ended") == "plateau")


def _seeds(settings: list[RunSettings]) -> str:
    return f" ({', '.join(str(each.seed) for each in settings)})" if settings else ""


def _check_fused(parts: Components, count: int) -> None:
    if _has_workers(parts):
        return  # one seed after another has all workers
    why = fused.applies(parts.search) or ("driver=host was typed" if parts.run is not fused.run else None)
    if why is not None:
        raise UserError(f"seeds={count} share a program, and this search has none: {why}", f"type -m seed=range(0,{count})")


def _has_workers(parts: Components) -> bool:
    return abilities.of_domain(parts.search.domain).dispatcher is not None


class Board:
    """The console of all seeds: sums and means over them."""

    def __init__(self, console: Console) -> None:
        self.console, self.lock = console, threading.Lock()
        self.rows: dict[int, dict[str, float]] = {}

    def update(self, seed: int, row: dict[str, float]) -> None:
        with self.lock:
            self.rows[seed] = row
            rows = list(self.rows.values())
            whole = {name: sum(each[name] for each in rows) for name in (*_SUMS, *_MEANS)}
            whole |= {name: whole[name] / len(rows) for name in _MEANS}
            extremes = {name: max(each[name] for each in rows) for name in ("generation", "best")}
            self.console.update(whole | extremes)

    def say(self, text: str) -> None:
        with self.lock:
            self.console.say(text)


class Seat:
    """The console of one seed."""

    def __init__(self, board: Board, seed: int) -> None:
        self.board, self.seed = board, seed

    def update(self, row: dict[str, float]) -> None:
        self.board.update(self.seed, row)

    def say(self, text: str) -> None:
        self.board.say(f"seed {self.seed}: {text}")

    def close(self, summary: dict[str, Any]) -> None:
        if summary["status"] != "skipped":
            figures = f"{summary['status']}: {summary['evaluations']:,} evaluations", *scores(summary["metrics"])
            self.say("  ".join([*figures, summary["folder"]]))


def _width(jobs: list[tuple[RunSettings, Components, Path]]) -> int:
    """How many seeds run at a time: as many as there are cores; one where workers evaluate."""
    return 1 if _has_workers(jobs[0][1]) else min(len(jobs), os.cpu_count() or 1)


def _run_all(
    jobs: list[tuple[RunSettings, Components, Path]], board: Board, stop: Stop, consents: dict[int, Consent]
) -> list[RunOutcome]:
    door = threading.Lock()
    with on_stop_signal(stop.on_signal), ThreadPoolExecutor(_width(jobs)) as pool:
        return list(pool.map(lambda job: _run_one(job, board, stop, (door, consents.get(job[0].seed))), jobs))


def _run_one(
    job: tuple[RunSettings, Components, Path], board: Board, stop: Stop, shared: tuple[threading.Lock, Consent | None]
) -> RunOutcome:
    """Runs a seed. One at a time may be before its first chunk, so that nothing is compiled twice."""
    settings, parts, path = job
    door, consent = shared
    with ExitStack() as inside:
        inside.enter_context(door)

        def driver(*args: Any) -> Iterator:
            for pair in parts.run(*args):
                inside.close()
                yield pair

        if stop.is_requested:
            return RunOutcome(str(path), path, "stopped")
        attempt, status = Attempt(path), "failed"
        with attempt:
            status = run(settings, parts._replace(run=driver), path, Seat(board, settings.seed), stop, consent)["status"]
        return RunOutcome(str(path), path, status, attempt.why)
