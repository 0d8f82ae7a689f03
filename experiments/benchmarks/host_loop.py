"""What our host loop costs above plain pyribs: the same hosted emitters, the same jitted evaluator, float32, 10-D arm.

Ours also stores 20-d features of each elite, ids, statuses and failures; the peer is pyribs' own Scheduler.

    qd study benchmarks.host_loop budget=quick|first|full
"""

from functools import partial
from itertools import product
from typing import Annotated

import numpy as np
from ribs.archives import GridArchive
from ribs.emitters import GaussianEmitter, IsoLineEmitter
from ribs.schedulers import Scheduler

from domains.arm import Arm
from experiments import command
from experiments.benchmarks import rounds
from experiments.benchmarks.rounds import BUDGETS, Side
from experiments.benchmarks.sides import continuing, jit_evaluation, scheduling, steps
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.emitters.ribs import Ribs
from qd.search import start
from qd.types import Search

ARM, DIMS, BOUNDS = Arm(joints=10), (50, 50), ((-1.0, 1.0), (-1.0, 1.0))
GENERATIONS, BATCHES = 400, (256, 512, 1024)
EMITTERS = {
    "iso+line": ("IsoLineEmitter", IsoLineEmitter, {"iso_sigma": 0.01, "line_sigma": 0.2}),
    "gaussian": ("GaussianEmitter", GaussianEmitter, {"sigma": 0.1}),
}
PAIRS = {"host loop / pyribs": ("host loop", "pyribs")}


def main(budget: Annotated[str, BUDGETS] = "quick", out: str = "") -> None:
    """Does the missing rounds, then writes and prints the table; arguments as in ``study``."""
    cases = {f"{name}, batch {batch}": partial(sides, name, batch) for name, batch in product(EMITTERS, BATCHES)}
    rounds.run("host_loop", cases, BUDGETS[budget], PAIRS, out)


rows = partial(rounds.rows, pairs=PAIRS)  # of its table


def sides(name: str, batch: int) -> dict[str, Side]:
    """Returns our loop and pyribs' scheduler, with the same emitter of pyribs.

    Args:
        name: of the emitter, a key of EMITTERS.
        batch: solutions a generation.
    """
    class_name, emitter, settings = EMITTERS[name]
    ours = Ribs(class_name, {**settings, "batch_size": batch})  # type: ignore[arg-type]
    search = Search(ARM, Select("gripper", BOUNDS), Grid(DIMS), ours, keep=("angles",))
    state, _ = start(search, keys.new(0), ARM.sample(keys.new(1), batch))
    archive = GridArchive(solution_dim=10, dims=DIMS, ranges=BOUNDS, seed=0, dtype=np.float32)
    scheduler = Scheduler(archive, [emitter(archive, **settings, x0=np.zeros(10), batch_size=batch, seed=0)])
    return {
        "host loop": continuing(state, GENERATIONS * batch, lambda state, until: steps(search, state, until)),
        "pyribs": scheduling(scheduler, jit_evaluation(search), batch, GENERATIONS * batch),
    }


if __name__ == "__main__":
    command.run()
