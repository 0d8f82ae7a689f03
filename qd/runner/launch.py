"""From the words of ``qd run`` to one run, many seeds, a sweep, or Hydra's other modes."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig

from qd.config import guess
from qd.config.build import import_users_modules
from qd.config.compose import folder, load, resolve
from qd.config.overrides import SEEDS, SWEEP, check, count_seeds, hydra_overrides, open_hydra, register
from qd.runner import ending
from qd.runner.display import waiting
from qd.support import atomic, imports
from qd.support.conf import conf
from qd.support.errors import UserError


def launch(words: Sequence[str]) -> int:
    """Does what the words of ``qd run`` ask for and returns the exit status.

    Raises:
        UserError: a word is wrong, or a component cannot be built.
    """
    words, flags = list(words), {word for word in words if word.startswith("-")}
    several = any(word.startswith(SEEDS) for word in words)
    if several and flags:
        raise UserError("seeds= is for one search; in a sweep type seed=range(0,20)")
    guess.check(words, "qd run")
    import_users_modules()
    if several:
        count_seeds([word.removeprefix(SEEDS) for word in words if word.startswith(SEEDS)])  # before JAX is imported
    if not several and not flags:
        return _run_one(words)

    with imports.without_collector():
        from qd.runner import many_seeds, sweep, terminal  # with JAX: misspelt words are answered without it

    if several:
        return many_seeds.many(words)
    return sweep.sweep(words) if flags <= set(SWEEP) else _by_hydra(words, terminal.job)


def _run_one(words: list[str]) -> int:
    settings = load(words)
    run = folder(settings, words)
    atomic.check_folder(run)  # this too
    if settings.source:
        from qd.store import solutions

        solutions.check_source(Path(settings.source))
    draws_beside = waiting.is_enabled() and settings.map_picture is not False
    with ending.drawing_beside(run, settings.archive) if draws_beside else nullcontext(ending.draw) as draw:
        with imports.without_collector():
            from qd.runner import outcomes, terminal

        return outcomes.exit_status(terminal.job(settings, words, draw=draw))


def _by_hydra(words: list[str], job: Callable) -> int:
    def task(cfg: Any) -> None:
        hydra_config = HydraConfig.get()
        job(resolve(cfg, dict(hydra_config.runtime.choices)), list(hydra_config.overrides.task))

    register()
    if not any(word.startswith(("--config", "-cd", "-cn", "-cp")) for word in words):  # else the choices are not ours to know
        with open_hydra():
            check([word for word in words if "=" in word and not word.startswith("-")])
    sys.argv = ["qd run", *guess.flags_first(hydra_overrides(words))]
    hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")(task)()
    return 0
