"""``qd``: finds the command, and says in one line what went wrong. Light: commands are imported when they are called."""

import errno
import os
import sys
from collections.abc import Callable
from types import TracebackType

from qd.config import plugins
from qd.config.build import locate
from qd.runner.display import waiting
from qd.support import error_notes, imports
from qd.support.errors import UserError
from qd.support.signals import StoppedBySignal
from qd.support.spelling import unknown
from qd.types import Spent

COMMANDS = {  # name -> (function of the words after it, what it does)
    "run": ("qd.cli.run.main", "search: qd run domain=arm seed=3; alone it runs the planar arm"),
    "plot": ("qd.cli.plot.main", "draw a run's figures: qd plot runs/arm/s0"),
    "report": ("qd.cli.report.main", "write a run as one page to click on: qd report runs/arm/s0"),
    "view": ("qd.cli.view.main", "look at runs in a browser, also while they go on: qd view runs"),
    "compare": ("qd.cli.compare.main", "methods side by side over seeds: page, tables, figures: qd compare runs/arm"),
    "log": ("qd.cli.log.main", "send a run's numbers to a tracker: qd log RUN --to wandb|mlflow|tensorboard"),
    "export": ("qd.cli.export.main", "write a run's elites as a table: qd export RUN --format csv"),
    "select": ("qd.cli.select.main", "choose a diverse and good subset of a run's elites: qd select RUN --n 20"),
    "query": ("qd.cli.query.main", 'the best elite within limits: qd query RUN "size<=120KB" "latency<=2ms"'),
    "reevaluate": ("qd.cli.reevaluate.main", "evaluate the elites of a noisy domain again: qd reevaluate RUN --times 32"),
    "import": ("qd.cli.import_.main", "take over what pyribs or QDax found: qd import FILE domain=arm"),
    "ask": ("qd.cli.external.ask.main", "print a batch for another program to evaluate: qd ask RUN > batch.jsonl"),
    "tell": ("qd.cli.external.tell.main", "bring its results: qd tell RUN results.jsonl"),
    "doctor": ("qd.cli.doctor.main", "a dry run that finds faults: qd doctor domain=arm"),
    "new": ("qd.cli.new.main", "write a domain of your own into this folder: qd new NAME"),
    "study": ("qd.cli.study.main", "run a study and print its table: qd study NAME budget=quick; alone it lists them"),
}
SLOW = ("run", "reevaluate", "import", "ask", "tell", "doctor")  # they import JAX, which takes a second or more
_LINES = 5  # of the user's own code that an error shows, the innermost
OLD = {
    "experiment": "qd.cli.study.experiment",
    "collect": "qd.cli.compare.collect",
}  # names of an earlier version -> the function of the words after it


def main(args: list[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    if args is None and not os.environ.get("QD_TRACEBACK"):
        sys.excepthook = _show_own_lines
    try:
        status = _run(sys.argv[1:] if args is None else args, is_process=args is None)
        sys.stdout.flush()
        if args is None:
            imports.skip_last_collection()
        return status
    except BrokenPipeError as error:
        return _reader_left(error)


def _show_own_lines(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints an error of the user's own code by its lines alone, and any other with the whole traceback."""
    lines = error_notes.lines(trace)
    if not lines:
        sys.__excepthook__(kind, error, trace)
        return
    hint = "(QD_TRACEBACK=1 before the command: the whole traceback)"
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("qd: ")]  # JAX adds one on its own lines
    print(*lines[-_LINES:], f"{kind.__name__}: {error}", hint, *notes, sep="\n", file=sys.stderr)


def _run(args: list[str], is_process: bool) -> int:
    """Runs a command; what the user can put right is printed in a line.

    Args:
        args: the command and the words after it.
        is_process: the process is this command alone, so that it may show what it waits for.

    Returns:
        The exit status.
    """
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = args
    if is_process and name in SLOW and not {"-h", "--help", "console=off"} & set(rest):
        waiting.enable()
        waiting.show("importing")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: with more, the small matrices of CMA-ES are slower
    try:
        with imports.without_collector():
            command = _command(name)
        return command(rest) or 0
    except SystemExit as error:  # argparse has printed the help, or what is wrong with the words
        if not isinstance(error.code, int):
            raise
        return error.code
    except UserError as error:
        print(f"qd: {error}", file=sys.stderr)
        return 1
    except Spent as error:  # before there was anything to save
        print(f"qd: {error}", file=sys.stderr)
        return 3
    except OSError as error:  # a word of many letters where a path belongs
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"qd: {str(error.filename)[:60]}... is too long for the name of a file; type a shorter one", file=sys.stderr)
        return 1
    except StoppedBySignal as error:
        print(f"qd: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("qd: stopped", file=sys.stderr)
        return 130


def _reader_left(error: BrokenPipeError) -> int:
    """Returns the exit status of a command that has lost its reader (qd query RUN | head -1), by convention 128 + SIGPIPE.

    Raises:
        BrokenPipeError: it was another pipe, e.g. a socket.
    """
    try:
        print(flush=True)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # else what is left in its buffer fails once more at the exit
        os.close(nowhere)
        return 141
    raise error


def _command(name: str) -> Callable[[list[str]], int | None]:
    if name in COMMANDS:
        return locate(COMMANDS[name][0], f"the command {name}")
    targets = {name: command["_target_"] for name, command in plugins.commands().items()} | OLD
    if name not in targets:
        names = [*COMMANDS, *(targets.keys() - OLD.keys())]
        raise unknown("command", name, names)
    return locate(targets[name], f"the command {name}")


def _help() -> str:
    there = {name: what for name, (_, what) in COMMANDS.items()}
    there |= {name: command["what"] for name, command in plugins.commands().items()}
    lines = [f"  {name:11} {what}" for name, what in there.items()]
    first, last = "qd COMMAND ...   quality-diversity search", "qd run --help explains the settings of a run."
    return "\n".join([first, "", *lines, "", last])
