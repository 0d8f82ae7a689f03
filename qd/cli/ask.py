"""`qd ask RUN`: the next batch of a search whose domain another program evaluates; `qd tell` brings its results.

Nothing is kept between the two: a batch follows from the checkpoint alone, so that asked twice it is the same batch.
B batch.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qd.cli.stopping import Stop
from qd.store import checkpoint
from qd.types import Array, Batch, Evaluation, Search, State

USAGE = """usage: qd ask RUN > batch.jsonl
       qd ask KEY=VALUE ... > batch.jsonl       the same words as for qd run; the first time it makes the folder

Prints the next batch, one solution a line: {"id": 7, "solution": [...], "key": [...]} (key: two whole numbers, a seed
for evaluations that draw at random). Write results.jsonl, a line each in any order,
{"id": 7, "objective": 1.5, "features": {"end": [0.1, 0.2]}}, objective null where it failed; then qd tell RUN results.jsonl.
Returns 1 when the run is finished."""


class Asked(Exception):
    """A batch that waits for its results: no error, but the search can go no further without them."""

    def __init__(self, first: int, solutions: Array, keys: Array) -> None:
        self.ids = np.arange(first, first + len(solutions))
        self.solutions, self.keys = solutions, keys


def main(args: Sequence[str]) -> int:
    """Prints the batch. Raises ValueError where there is no such run, or its domain is evaluated in this process."""
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    config, run = which(args)
    asked = waiting(config, run)
    if asked is None:
        print(f"qd: {run} is finished: there is nothing to ask; type budget=... with a larger number to go on", file=sys.stderr)
        return 1
    rows = zip(asked.ids.tolist(), asked.solutions.tolist(), asked.keys.tolist(), strict=True)
    for number, solution, key in rows:
        print(json.dumps({"id": number, "solution": solution, "key": key}))
    print(f"qd: {len(asked.ids)} solutions; next: qd tell {run} results.jsonl", file=sys.stderr)
    return 0


def which(args: Sequence[str]) -> tuple[dict[str, Any], Path]:
    """Returns config and folder of the run that is named by its folder, or by the words of qd run.

    Raises:
        ValueError: the folder holds no run, or a word cannot be.
    """
    from qd.cli.compose import folder, load
    from qd.cli.job import prepare

    prepare()
    run = Path(args[0])
    if len(args) > 1 or ("=" in args[0] and not run.exists()):
        config = load(list(args))
        return config, folder(config, list(args))
    file = run / "config.yaml"
    if not file.is_file():
        raise ValueError(f"{run} is no folder of a run: it holds no config.yaml; type qd ask domain=... to begin one")
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} cannot be read ({error}); put it back, or begin anew") from error
    if not isinstance(config, dict) or not {"domain", "budget", "seed"} <= config.keys():
        raise ValueError(f"{file} holds no config of a run; put it back, or begin anew")
    return config | {"again": False}, run


def waiting(config: dict[str, Any], run: Path) -> Asked | None:
    """Returns the batch that a run waits for, None where it is finished. Raises ValueError as qd run does."""
    try:
        work(config, run, None)
    except Asked as asked:
        return asked
    return None


def work(config: dict[str, Any], run: Path, told: tuple[Asked, Evaluation] | None) -> dict[str, Any]:
    """Lets a run go on for the one generation that is told of; returns the result of qd.cli.run.

    Raises:
        Asked: it can go no further without an answer.
        ValueError: the domain is evaluated in this process, or the descriptor wants solutions in between.
    """
    from qd.cli import compose
    from qd.cli.run import run as job

    stop, parts = Stop(), compose.assemble(config, run)
    if not hasattr(parts.search.domain, "answers"):
        raise ValueError(
            f"{type(parts.search.domain).__name__} is evaluated in this process; type qd run, or make a domain of another "
            "program by qd new NAME --external"
        )
    desk = _Desk(run, parts.search.domain, told, stop)
    domain = dataclasses.replace(parts.search.domain, answers=desk.answer)  # type: ignore[type-var]
    parts = parts._replace(search=parts.search._replace(domain=domain), run=desk.watched(parts.run))
    return job(config, parts, run, _Aside(), stop)


class _Desk:
    """Where a run asks: it is given the batch that was told, and then asked to stop."""

    def __init__(self, run: Path, domain: Any, told: tuple[Asked, Evaluation] | None, stop: Stop) -> None:
        self.run, self.domain, self.told, self.stop = run, domain, told, stop
        self.asked_for, self.stepping = 0, False

    def answer(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates by what was told."""
        saved = checkpoint.load(self.run / "checkpoint", lambda text: None)
        self.asked_for += 1
        if saved is None and self.asked_for == 1:
            return self.domain.blank(len(solutions))  # the rehearsal of shapes and names, of which nothing is kept
        if not self.stepping and (saved is not None or self.asked_for > 2):
            raise ValueError(
                "the descriptor wants solutions of its own evaluated while it learns, which cannot be asked for; "
                "type another descriptor"
            )
        if self.told is None:
            raise Asked(saved.state.evaluations if saved else 0, np.asarray(solutions), np.asarray(keys))
        (asked, evaluation), self.told = self.told, None
        if not np.array_equal(asked.solutions, solutions):
            raise ValueError(f"{self.run} went on in the meantime; type qd ask {self.run} for the batch that it waits for now")
        self.stop.asked = True
        return evaluation

    def watched(self, run: Callable) -> Callable:
        """Tells evaluations of a generation from those that a learner wants."""

        def watched(search: Search, state: State, until: int) -> Iterator[tuple[State, Batch]]:
            self.stepping = True
            try:
                yield from run(search, state, until)
            finally:
                self.stepping = False

        return watched


class _Aside:
    """Standard output is the batch's; what else there is to say goes beside it."""

    def update(self, row: dict) -> None: ...

    def say(self, text: str) -> None:
        print(f"qd: {text}", file=sys.stderr)

    def close(self, summary: dict) -> None: ...
