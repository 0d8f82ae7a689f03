"""`qd plot RUN ...`: figures of runs from what their folders hold; no component is built, and no code in them is run.

Draws RUN/figures/: heatmap and curves (png and pdf), and what the elites look like: a sheet of pictures (png and svg), or a
page of texts (html). With --film, of a run with film=position or another feature of two numbers: exploration.gif, where all
that was tried has ended, and policies.gif, what the best elites do.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Draws the figures of each run and prints where they lie.

    Raises:
        UserError: a folder is no run, or its metrics are damaged.
    """
    parser = command_parser("plot", __doc__, "qd plot RUN [RUN ...] [--film] [--frames 40]")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=nonempty_path, help="folder of a run")
    parser.add_argument("--film", action="store_true", help="films instead of figures")
    parser.add_argument("--frames", type=int, metavar="N", help="frames of a film; 40 by default")
    args = parser.parse_intermixed_args(words)
    if args.frames is not None and not args.film:
        parser.error("--frames is for films: type --film --frames 40")

    from qd.report import figures, film

    for run in args.runs:
        if args.film:
            film.draw(run, 40 if args.frames is None else args.frames, print)
        else:
            figures.draw(run, print)
    return 0
