"""`qd plot RUN`: figures of a run from what its folder holds; no part of it is built, and no code in it is run."""

from collections.abc import Sequence
from pathlib import Path

from qd.report import film
from qd.report.figures import draw
from qd.store.runs import check
from qd.support.errors import UserError

USAGE = """usage: qd plot RUN [RUN ...] [--film] [--frames 40]

Draws RUN/figures/: heatmap and curves (png and pdf), and what the elites look like: a sheet of pictures (png and svg), or a
page of texts (html). With --film, of a run with film=position or another feature of two numbers: exploration.gif, where all
that was tried has ended, and policies.gif, what the best elites do."""


def main(args: Sequence[str]) -> int:
    """Draws the figures of each run and says where they lie.

    Raises:
        ValueError: a folder is no run, or its metrics are damaged; says what to type instead.
    """
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    runs, frames = _asked(list(args))
    for run in runs:
        if frames is None:
            draw(run, print)
        else:
            check(run)
            film.draw(run, frames, print)
    return 0


def _asked(args: list[str]) -> tuple[list[Path], int | None]:
    """Returns the runs, and the frames of a film where one is asked for."""
    frames = None
    if "--film" in args:
        args.remove("--film")
        frames = 40
    if "--frames" in args:
        where = args.index("--frames")
        number = args[where + 1] if where + 1 < len(args) else ""
        if frames is None or not number.isdecimal():
            raise UserError(f"--frames {number} is no number of a film's frames", "type --film --frames 40")
        frames = int(number)
        del args[where : where + 2]
    return [Path(run) for run in args], frames
