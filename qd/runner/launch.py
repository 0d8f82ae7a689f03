"""From the words of ``qd run`` to one run, many seeds, a sweep, or what else Hydra offers."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig

from qd.config.compose import assemble, load, resolve
from qd.config.overrides import check, opened, prepared, register
from qd.runner import many_seeds, sweep
from qd.runner.outcomes import EXIT
from qd.runner.terminal import job, prepare
from qd.store import solutions
from qd.support.conf import conf
from qd.support.errors import UserError


def launch(words: Sequence[str]) -> int:
    """Does what the words of ``qd run`` ask for and returns the exit status.

    Raises:
        UserError: a word cannot be, or a part cannot be built.
    """
    prepare()
    words, flags = list(words), {word for word in words if word.startswith("-")}
    several = any(word.startswith(many_seeds.WORD) for word in words)
    if several and flags:
        raise UserError("seeds= is for one search; in a sweep type seed=range(0,20)")
    if several:
        return many_seeds.many(words)
    if flags:
        return sweep.sweep(words) if flags <= set(sweep.FLAGS) else _by_hydra(words)
    return EXIT.get(job(load(words), words)["status"], 0)


def import_solutions(file: str, overrides: Sequence[str]) -> int:
    """Makes a run of the solutions in a file, and returns the exit status.

    Args:
        file: a table, a folder that QDax saved, or the folder of a run.
        overrides: words of ``qd run``; without budget=N nothing but the file's solutions is evaluated.

    Raises:
        UserError: the file holds no solutions of the domain.
    """
    prepare()
    if "=" in file and not Path(file).exists():
        raise UserError(f"{file} is no file", "type the file first: qd import FILE domain=...")
    words = [*overrides, f"from={file}"]
    settings = load(words)
    if not any(word.startswith("budget=") for word in words):
        stored = solutions.load(file, assemble(settings).search.domain)
        words.append(f"budget={len(stored.solutions)}")
        settings = load(words)
    return EXIT.get(job(settings, words)["status"], 0)


def _by_hydra(words: list[str]) -> int:
    def task(cfg: Any) -> None:
        hydra_config = HydraConfig.get()
        job(resolve(cfg, dict(hydra_config.runtime.choices)), list(hydra_config.overrides.task))

    register()
    if not any(word.startswith(("--config", "-cd", "-cn", "-cp")) for word in words):  # else the choices are not ours to know
        with opened():
            check([word for word in words if "=" in word and not word.startswith("-")])
    sys.argv = ["qd run", *prepared(words)]
    hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")(task)()
    return 0
