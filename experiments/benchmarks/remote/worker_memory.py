"""Memory of a driver and of its workers over 1,000 generations, by the pool and by Dask: level, or it would be a leak."""

from collections.abc import Callable, Iterator

import psutil
from matplotlib.figure import Figure

from experiments.benchmarks.remote.durations import Durations
from feedback.descriptors.select import Select
from qd import keys, remote
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.report.table import Runs
from qd.search import run, start
from qd.types import Search

CASE = "memory"
GENERATIONS, EVERY, BATCH, GENES = 1000, 25, 64, 100
SETTLED = 200  # generations, after which the archive is full enough that growth is a leak
DOMAIN = Durations(dim=GENES)
ENGINES: dict[str, Callable[[], remote.Remote]] = {
    "pool, 2 workers": lambda: remote.Pool(DOMAIN, 2, chunk=16),
    "dask, 2 workers": lambda: remote.Dask(DOMAIN, workers=2, chunk=16),
}


def plan() -> Iterator[tuple[str, str, int, Callable[[], dict[str, float]]]]:
    """Yields (case, engine, round, what measures it)."""
    for name, open_domain in ENGINES.items():
        yield CASE, name, 0, lambda open_domain=open_domain: measure(open_domain())


def measure(domain: remote.Remote) -> dict[str, float]:
    """Searches and returns resident megabytes of this process and of all that it started.

    Args:
        domain: with its workers.

    Returns:
        "driver MB at N" and "workers MB at N" for every 25th generation; "driver growth" and "workers growth" in megabytes
        from generation 200 to the last.
    """
    sizes: dict[str, float] = {}
    with domain:
        search = Search(domain, Select("xy", ((-1, 1), (-1, 1))), Grid(dims=(32, 32)), Vary(IsoLine(), BATCH))
        state, _ = start(search, keys.new(0), DOMAIN.sample(keys.new(1), BATCH))
        for state, _ in run(search, state, BATCH * (GENERATIONS + 1)):
            if (state.generation - 1) % EVERY == 0:
                driver = psutil.Process()
                workers = driver.children(recursive=True)
                sizes[f"driver MB at {state.generation - 1}"] = megabytes([driver])
                sizes[f"workers MB at {state.generation - 1}"] = megabytes(workers)
    for side in ("driver", "workers"):
        sizes[f"{side} growth"] = sizes[f"{side} MB at {GENERATIONS}"] - sizes[f"{side} MB at {SETTLED}"]
    return sizes


def megabytes(processes: list[psutil.Process]) -> float:
    """Returns the resident memory of some processes together."""
    return sum(process.memory_info().rss for process in processes) / 2**20


def figure(runs: Runs) -> Figure:
    """Draws memory over generations, a panel for each engine."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    for panel, engine in zip(figure.subplots(1, len(ENGINES), sharey=True), ENGINES, strict=True):
        for side, line in (("driver", "-"), ("workers", "--")):
            generations = range(EVERY, GENERATIONS + 1, EVERY)
            sizes = [runs.column(CASE, engine, f"{side} MB at {generation}").get(0) for generation in generations]
            panel.plot(
                generations,
                sizes,
                line,
                color="#1f4e79" if side == "driver" else "#c25b00",
                label="driver" if side == "driver" else "its two workers",
            )
        panel.set(title=engine, xlabel="generations")
        panel.label_outer()
        panel.legend(frameon=False)
    figure.axes[0].set_ylim(0, None)
    figure.supylabel("resident memory, MB")
    return figure
