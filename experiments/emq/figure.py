"""The map of proxies: cost by kind of input, colour the correlation on a network never seen; and the formulas, to be read.

python -m experiments.emq.figure runs=runs/emq-first method=MAP-Elites held=resnet14
"""

import sys
from pathlib import Path

import numpy as np

from domains.proxies import Proxies
from domains.proxies.record import KINDS
from qd.support.errors import UserError

_FORMULAS = 16


def main(
    runs: str = "runs/emq-quick",
    method: str = "MAP-Elites",
    seed: str = "0",
    bench: str = "fashion",
    structure: str = "branch",
    held: str = "",
) -> None:
    """Draws the map of one network held out (the first, if none is named) and writes its formulas."""
    whole = Proxies(bench, structure)
    names = [record.name for record in whole.records]
    held = held or names[0]
    path = Path(runs) / "elites" / f"{held}-{method}-{seed}.npz"
    if not path.is_file():
        raise UserError(f"{path} is not there", "type qd experiment emq, or the method, seed and network that it ran")
    with np.load(path, allow_pickle=False) as told:
        elites = {name: told[name] for name in told.files}
    words = formulas(whole.on(*(name for name in names if name != held)), elites)
    (Path(runs) / "formulas.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    drawn(whole, elites, words, held).savefig(Path(runs) / "map.png", dpi=120)
    print("\n".join(words))
    print(Path(runs) / "map.png")


def formulas(domain: Proxies, elites: dict[str, np.ndarray]) -> list[str]:
    """The best of each column of cost, then of each kind, best first, a line each."""
    order = np.argsort(-elites["objective"])
    cost, kind = np.round(2 * elites["cost"]), elites["kind"]
    seen, chosen = set(), []
    for row in order:
        here = {("cost", cost[row]), ("kind", kind[row])}
        if here - seen:
            chosen.append(row)
            seen |= here
    words = domain.formulas(elites["solutions"][chosen])
    worth = zip(elites["objective"][chosen], elites["held_whole"][chosen], elites["held_top"][chosen], strict=True)
    return [
        f"{trained:5.1f} trained {whole:6.1f} held out {top:6.1f} in its best fifth {10 ** elites['cost'][row]:7.2f} s  {said}"
        for row, (trained, whole, top), said in zip(chosen, worth, words, strict=True)
    ]


def drawn(domain: Proxies, elites: dict[str, np.ndarray], words: list[str], held: str):
    """A mark for each elite, and the first formulas below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 10.5), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(9, 4))
    kinds = sorted(set(elites["kind"].astype(int)))
    place, told = [kinds.index(kind) for kind in elites["kind"].astype(int)], elites["held_whole"]
    least = 10 * np.floor(told.min() / 10)
    marks = above.scatter(elites["cost"], place, c=told, s=330, marker="s", cmap="viridis", vmin=least, vmax=100)
    for x, y, value in zip(elites["cost"], place, told, strict=True):
        shade = "white" if value < (least + 100) / 2 else "black"
        above.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=shade)
    above.set_yticks(range(len(kinds)), [_kind(kind) for kind in kinds], fontsize=8)
    above.set(xlabel="cost of its statistics, log10 CPU-seconds", title=f"proxies evolved without {held}, told on it")
    figure.colorbar(marks, ax=above, label="Spearman's correlation with accuracy, per cent")
    below.axis("off")
    below.text(-0.28, 1, "\n".join(words[:_FORMULAS]), va="top", family="monospace", fontsize=8, transform=below.transAxes)
    return figure


def _kind(code: int) -> str:
    return " + ".join(name for i, name in enumerate(KINDS) if code >> i & 1) or "shapes alone"


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
