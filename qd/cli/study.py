"""Runs what is missing of a study, then writes and prints its table.

qd study                              lists all studies
qd study NAME [KEY=VALUE ...]         e.g. qd study qdhf budget=quick seeds=2
qd study NAME --help                  what a study does and what it takes
"""

import importlib
import importlib.util
import sys
from argparse import REMAINDER
from pathlib import Path

from qd.cli.parser import command_parser
from qd.support.errors import UserError


def main(args: list[str]) -> None:
    """Runs the study that ``args`` name, or lists all of them. No room of qd imports studies: they are found by name."""
    parser = command_parser("study", __doc__, "qd study [NAME] [KEY=VALUE ...]")
    parser.add_argument("words", nargs=REMAINDER, metavar="NAME KEY=VALUE", help="a study, and its settings")
    words = parser.parse_args(args).words
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    if importlib.util.find_spec("experiments") is None:
        raise UserError("the studies are not installed here", "type it in a checkout of qd-atlas")
    importlib.import_module("experiments.command").dispatch(words)


def experiment(args: list[str]) -> None:
    """Does the same under the name that the command had before."""
    print("qd: qd experiment is called qd study now", file=sys.stderr)
    main(args)
