"""`qd log RUN ... --to wandb|mlflow|tensorboard`: a run's numbers in an experiment tracker.

The x-axis is evaluations. Given again, it adds the rows that are missing to the same run. While a run is going on:
qd run ... log=wandb. What leaves the machine: the columns of metrics.csv, how often each event happened, and the run's name,
seed, budget, choices and numbers; no code, no key, no text of a config, nothing of the environment.

  qd log runs/arm/s0 --to tensorboard             event files in RUN/trackers, for tensorboard --logdir runs
  WANDB_MODE=offline qd log runs/arm/s0 --to wandb
  MLFLOW_TRACKING_URI=http://... qd log runs/arm/s0 --to mlflow
  MLFLOW_TRACKING_URI=file:mlruns MLFLOW_ALLOW_FILE_STORE=true qd log runs/arm/s0 --to mlflow
"""

from argparse import SUPPRESS
from collections.abc import Sequence

from qd.cli.parser import command_parser, nonempty_path


def main(words: Sequence[str]) -> int:
    """Sends the rows of each run and prints how many those were.

    Raises:
        UserError: a folder is no run, or the tracker's package is not installed.
    """
    parser = command_parser("log", __doc__, "qd log RUN [RUN ...] --to wandb|mlflow|tensorboard")
    parser.add_argument("runs", metavar="RUN", nargs="+", type=nonempty_path, help="folder of a run")
    parser.add_argument("--to", metavar="TRACKER", required=True, help="wandb, mlflow or tensorboard")
    parser.add_argument("--process", type=int, help=SUPPRESS)  # of a run that goes on: rows are sent until it ends
    args = parser.parse_intermixed_args(words)

    from qd.report.tracking.log import log

    for run in args.runs:
        print(f"{run}: {log(run, args.to, args.process)} rows sent to {args.to}")
    return 0
