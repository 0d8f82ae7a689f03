"""The map of proxies: cost by kind of input, colour the correlation on a network held out; and the formulas.

qd study emq.figure runs=experiments/results/emq method=MAP-Elites held=resnet14
"""

from pathlib import Path
from typing import Any

import numpy as np

from domains.proxies import Proxies
from domains.proxies.record import KINDS
from experiments import command
from qd.support.errors import UserError

_FORMULAS = 16


def main(
    runs: str = "experiments/results/emq",
    method: str = "MAP-Elites",
    seed: int = 0,
    bench: str = "fashion",
    structure: str = "branch",
    held: str = "",
) -> None:
    """Draws the map of one held-out network and writes its formulas.

    Args:
        runs: folder of the results of ``qd study emq``.
        method: name of a method.
        seed: of all randomness.
        bench: fashion, synthetic, or a file.
        structure: of the expressions.
        held: name of the held-out network; empty: the first.

    Raises:
        UserError: there is no such map.
    """
    whole, folder = Proxies(bench, structure), Path(runs)
    names = [record.name for record in whole.records]
    held = held or names[0]
    path = folder / "elites" / f"{held}-{method}-{seed}.npz"
    if not path.is_file():
        raise UserError(f"{path} does not exist", "run qd study emq, or choose a method=, seed= and held= that it ran")
    with np.load(path, allow_pickle=False) as file:
        elites = {name: file[name] for name in file.files}
    lines = formulas(whole.on(*(name for name in names if name != held)), elites)
    (folder / "formulas.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    figure(elites, lines, held).savefig(folder / "map.png", dpi=120)
    print("\n".join([*lines, str(folder / "map.png")]))


def formulas(domain: Proxies, elites: dict[str, np.ndarray]) -> list[str]:
    """Returns the best of each column of cost, then of each kind, best first, a line each.

    Args:
        domain: that the proxies were evolved on.
        elites: columns of the map.
    """
    order = np.argsort(-elites["objective"])
    cost, kind = np.round(2 * elites["cost"]), elites["kind"]
    shown_columns, selection = set(), []
    for row in order:
        columns = {("cost", cost[row]), ("kind", kind[row])}
        if columns - shown_columns:
            selection.append(row)
            shown_columns |= columns
    names = domain.formulas(elites["solutions"][selection])
    worth = zip(elites["objective"][selection], elites["held_whole"][selection], elites["held_top"][selection], strict=True)
    return [
        f"{training:5.1f} trained {whole:6.1f} held out {top:6.1f} in its best fifth {10 ** elites['cost'][row]:7.2f} s  {name}"
        for row, (training, whole, top), name in zip(selection, worth, names, strict=True)
    ]


def figure(elites: dict[str, np.ndarray], lines: list[str], network: str) -> Any:
    """Returns a figure: a mark for each elite, and the first formulas below.

    Args:
        elites: columns of the map.
        lines: formulas.
        network: name of the held-out network.
    """
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(12, 10.5), layout="constrained")
    above, below = drawing.subplots(2, 1, height_ratios=(9, 4))
    kinds = sorted(set(elites["kind"].astype(int)))
    place, worth = [kinds.index(kind) for kind in elites["kind"].astype(int)], elites["held_whole"]
    least = 10 * np.floor(worth.min() / 10)
    marks = above.scatter(elites["cost"], place, c=worth, s=330, marker="s", cmap="viridis", vmin=least, vmax=100)
    for x, y, value in zip(elites["cost"], place, worth, strict=True):
        shade = "white" if value < (least + 100) / 2 else "black"
        above.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=shade)
    above.set_yticks(range(len(kinds)), [_kind(kind) for kind in kinds], fontsize=8)
    above.set(xlabel="cost of its statistics, log10 CPU-seconds", title=f"proxies evolved without {network}, evaluated on it")
    drawing.colorbar(marks, ax=above, label="Spearman's correlation with accuracy, per cent")
    below.axis("off")
    below.text(-0.28, 1, "\n".join(lines[:_FORMULAS]), va="top", family="monospace", fontsize=8, transform=below.transAxes)
    return drawing


def _kind(code: int) -> str:
    return " + ".join(name for i, name in enumerate(KINDS) if code >> i & 1) or "shapes alone"


if __name__ == "__main__":
    command.run()
