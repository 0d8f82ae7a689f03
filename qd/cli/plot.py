"""`qd plot RUN ...`: figures of runs from what their folders hold; no component is built, and no code in them is run.

Draws RUN/figures/: heatmap and curves (png and pdf), and what the elites look like: a sheet of pictures (png and svg), or a
page of texts (html). Of three measures and more also nested, maps within a map, and parallel, a line for each elite.
With --film: map.gif, the map over time; of a run with film=position or another feature of two numbers exploration.gif, where
all that was tried has ended; and policies.gif, what the best elites do.
--film FILE.mp4, or FILE.gif, writes one film, of the map over time.
--scale same gives all RUNs one colour scale, --scale 0,100 this one.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from qd.cli.parser import command_parser, nonempty_path
from qd.support.errors import UserError


def main(words: Sequence[str]) -> int:
    """Draws the figures of each run and prints where they lie.

    Raises:
        UserError: a folder is no run, or its metrics are damaged.
    """
    parser = command_parser("plot", __doc__, "qd plot RUN [RUN ...] [--film [FILE]] [--frames 40] [--scale same|LOW,HIGH]")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=nonempty_path, help="folder of a run")
    parser.add_argument(
        "--film", metavar="FILE", help="films instead of figures; with a name that ends in .mp4 or .gif, one film"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="frames of a film; 40 by default")
    parser.add_argument("--scale", metavar="S", help="of the colours: same, over all RUNs, or LOW,HIGH")
    args = parser.parse_intermixed_args(_join(words))
    if args.frames is not None and args.film is None:
        parser.error("--frames is for films: type --film --frames 40")

    if args.film and len(args.runs) > 1:
        parser.error(f"--film {args.film} is one film: name one RUN")

    from qd.store import runs

    for run in args.runs:
        runs.check(run)  # before matplotlib is imported
    from qd.report import figures, film

    scale = figures.shared_scale(args.runs) if args.scale == "same" else _ends(args.scale)
    for run in args.runs:
        frames = 40 if args.frames is None else args.frames
        if args.film:
            print(film.write(run, Path(args.film), frames, scale))
        elif args.film is not None:
            film.draw(run, frames, print, scale)
        else:
            figures.draw(run, print, scale)
    return 0


def _join(words: Sequence[str]) -> list[str]:
    """``--scale -5,0``, of which argparse would take the second word for a flag, and ``--film [FILE]``, each in one word."""
    joined = ["--film=" if word == "--film" else word for word in words]
    for i in range(len(joined) - 1, 0, -1):
        if joined[i - 1] == "--film=" and joined[i].lower().endswith((".mp4", ".gif")):
            joined[i - 1 : i + 1] = [f"--film={joined[i]}"]
    for i in range(len(joined) - 1, 0, -1):
        if joined[i - 1] == "--scale":
            joined[i - 1 : i + 1] = [f"--scale={joined[i]}"]
    return joined


def _ends(scale: str | None) -> tuple[float, float] | None:
    if scale is None:
        return None
    try:
        low, high = map(float, scale.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise UserError(
            f"--scale {scale} is no colour scale", "type --scale same, or --scale 0,100: the lowest and the highest"
        )
    return low, high
