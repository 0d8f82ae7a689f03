"""The figure for practitioners: size by latency, what is deployable, and where the exact solver's points lie.

    qd run recipe=quant_speed
    qd study quant.map run=runs/quant_speed/s0

Elites are evaluated on held-out images (1,000); the best of each range of sizes are exported, run
and marked (see qd export). The solver's points are its optima by the tables as measured, at budgets over the plane.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from domains.quant.domain import Quant
from domains.quant.solve import ilp
from experiments import command, study
from qd.report import export, query
from qd.report.table import Row
from qd.store import archive_file

TEST_IMAGES, LEVELS = 1000, 6  # images; budgets of the solver on each axis


class ConfigPoints(NamedTuple):
    """What the figure shows of n configs."""

    size: np.ndarray  # [n] KB
    latency: np.ndarray  # [n] microseconds an image
    accuracy: np.ndarray  # [n] per cent, held-out images
    deployable: np.ndarray  # [n] bool


def main(run: str = "runs/quant_speed/s0", exported: int = 8, out: str = "") -> None:
    """Evaluates, exports and draws; finished exports are not repeated.

    Args:
        run: folder of a run of recipe=quant_speed.
        exported: number of elites to export.
        out: folder of the results; empty: the default one.
    """
    folder, target = Path(run), study.folder("quant_map", out=out)
    archive = archive_file.load(folder)
    node = {name: value for name, value in archive.about["config"]["domain"].items() if name != "_target_"}
    test_domain = Quant(**(node | {"split": "test", "images": TEST_IMAGES}))
    selection = _worth_exporting(archive.columns, exported)
    existing = {report["id"] for report in _reports(folder)}
    missing = [int(i) for i in archive.columns["id"][selection] if int(i) not in existing]
    if missing:
        export.export(folder, missing, "onnx", folder / "deployable")
    reports = _reports(folder)
    elites = _points(
        test_domain, archive.columns["solution"], [r["id"] for r in reports if r["deployable"]], archive.columns["id"]
    )
    solver = _points(test_domain, solver_optima(test_domain, elites), [], np.zeros(0))
    rows = list(_rows(reports, elites, solver))
    study.report(target, rows, tuple(dict.fromkeys(row.metric for row in rows)))
    figure(elites, solver).savefig(target / "map.png", dpi=160)


def solver_optima(domain: Quant, elites: ConfigPoints) -> np.ndarray:
    """Returns the solver's distinct optima at budgets spread over what the elites cover.

    Args:
        domain: of the run.
        elites: of the run.

    Returns:
        Configs [n, 2L].
    """
    configs: dict[bytes, np.ndarray] = {}
    for size in np.linspace(elites.size.min(), elites.size.max(), LEVELS):
        for time in np.linspace(elites.latency.min(), elites.latency.max(), LEVELS):
            config = ilp.solve(domain.sensitivity, domain.costs, size=float(size), latency=float(time), gap=0.01)
            if config is not None:
                configs.setdefault(config.tobytes(), config)
    return np.stack(list(configs.values()))


def figure(elites: ConfigPoints, solver: ConfigPoints) -> Any:
    """Draws size by latency; colour is held-out accuracy, a ring is a checked file, a cross a point of the solver.

    Args:
        elites: of the run.
        solver: optima of the exact solver.

    Returns:
        A matplotlib figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    low = float(np.percentile(np.concatenate([elites.accuracy, solver.accuracy]), 20))
    high = float(max(elites.accuracy.max(), solver.accuracy.max()))
    shade = {"cmap": "viridis", "vmin": low, "vmax": high}
    dots = axes.scatter(elites.size, elites.latency, c=elites.accuracy, s=46, marker="s", label="elite of the map", **shade)
    axes.scatter(solver.size, solver.latency, c=solver.accuracy, s=70, marker="X", edgecolor="white", linewidth=0.6,
                 label="exact solver, tables as measured", **shade)  # fmt: skip
    ready = elites.deployable
    axes.scatter(elites.size[ready], elites.latency[ready], s=150, facecolor="none", edgecolor="crimson", linewidth=1.6,
                 label="file run and checked")  # fmt: skip
    axes.set_xlabel("size with scales, KB")
    axes.set_ylabel("latency an image (sum of measured layers), µs")
    figure.colorbar(dots, ax=axes, extend="min").set_label(f"accuracy on {TEST_IMAGES:,} held-out images, %")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3, frameon=False, fontsize=8)
    axes.grid(alpha=0.25)
    return figure


def _worth_exporting(columns: dict[str, np.ndarray], n: int) -> np.ndarray:
    """Returns rows of n elites spread over the plane: the most accurate of each n-th of sizes, alternately
    of its faster and its slower half."""
    rows = []
    for i, part in enumerate(np.array_split(np.argsort(columns["size"], kind="stable"), n)):
        by_time = part[np.argsort(columns["latency"][part], kind="stable")]
        half = np.array_split(by_time, 2)[i % 2]
        rows += [half[np.argmax(columns["objective"][half])]] if len(half) else []
    return np.array(rows)


def _points(domain: Quant, solutions: np.ndarray, ready: list[int], ids: np.ndarray) -> ConfigPoints:
    evaluation = domain.evaluate(np.zeros((len(solutions), 2), np.uint32), solutions)
    marks = np.isin(ids, ready) if len(ids) else np.zeros(len(solutions), bool)
    return ConfigPoints(evaluation.features["size"], evaluation.features["latency"], np.asarray(evaluation.objective), marks)


def _reports(folder: Path) -> list[dict[str, Any]]:
    file = folder / query.MARKS
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else []


def _rows(reports: list[dict[str, Any]], elites: ConfigPoints, solver: ConfigPoints):
    one = lambda method, metric, value: Row("ResNet, Fashion-MNIST", method, metric, float(value), np.nan, np.nan, 1)
    for report in sorted(reports, key=lambda report: report["size_predicted_KB"]):
        method = f"{report['format']}, cell {report['cell']}"
        names = ("agreement", "size_predicted_KB", "size_weights_KB", "size_file_KB", "latency_predicted_us",
                 "latency_measured_us", "test_accuracy_bank", "test_accuracy_file")  # fmt: skip
        yield from (one(method, name, report[name]) for name in (*names, "deployable"))
    for method, points in (("map", elites), ("exact solver", solver)):
        yield one(method, "configs", len(points.size))
        yield from (
            one(method, f"best within {size} KB", float(points.accuracy[points.size <= size].max()))
            for size in (15, 20, 25, 30, 40)
            if (points.size <= size).any()
        )


if __name__ == "__main__":
    command.run()
