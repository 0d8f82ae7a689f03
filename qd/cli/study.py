"""``qd study NAME [KEY=VALUE ...]``: runs a study and prints its table. No room of qd imports them: they are found by name."""

import importlib
import importlib.util
import sys
from pathlib import Path

from qd.support.errors import UserError


def main(args: list[str]) -> None:
    """Runs the study that ``args`` name, or lists all of them."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    if importlib.util.find_spec("experiments") is None:
        raise UserError("the studies are not installed here", "type it in a checkout of qd-atlas")
    importlib.import_module("experiments.command").dispatch(args)


def experiment(args: list[str]) -> None:
    """Does the same under the name that the command had before."""
    print("qd: qd experiment is called qd study now", file=sys.stderr)
    main(args)
