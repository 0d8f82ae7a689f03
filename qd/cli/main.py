"""``qd``: finds the command, and says in one line what went wrong. Light: commands are imported when they are called."""

import importlib
import importlib.util
import pkgutil
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

from qd.support.errors import UserError
from qd.support.spelling import nearest
from qd.types import Spent

COMMANDS = {  # name -> (module with main(args), what it does)
    "run": ("qd.cli.run", "search: qd run domain=arm seed=3; alone it runs the planar arm"),
    "plot": ("qd.cli.plot", "draw a run's figures: qd plot runs/arm/s0"),
    "collect": ("qd.cli.collect", "compare runs: a table and curves over seeds: qd collect runs/arm"),
    "export": ("qd.cli.export", "write a run's elites as a table: qd export RUN --format csv"),
    "select": ("qd.cli.select", "choose a diverse and good subset of a run's elites: qd select RUN --n 20"),
    "query": ("qd.cli.query", 'the best elite within limits: qd query RUN "size<=120KB" "latency<=2ms"'),
    "import": ("qd.cli.import_", "take over what pyribs or QDax found: qd import FILE domain=arm"),
    "ask": ("qd.cli.ask", "print a batch for another program to evaluate: qd ask RUN > batch.jsonl"),
    "tell": ("qd.cli.tell", "bring its results: qd tell RUN results.jsonl"),
    "doctor": ("qd.cli.doctor", "a dry run that finds faults: qd doctor domain=arm"),
    "new": ("qd.cli.new", "write a domain of your own into this folder: qd new NAME"),
    "experiment": ("qd.cli.main", "run a study and print its table: qd experiment NAME budget=quick"),
}


def main(args: list[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    args = sys.argv[1:] if args is None else args
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = args
    try:
        return _command(name)(rest) or 0
    except UserError as error:
        print(f"qd: {error}", file=sys.stderr)
        return 1
    except Spent as error:  # before there was anything to save
        print(f"qd: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("qd: stopped", file=sys.stderr)
        return 130


def experiment(args: list[str]) -> int:
    """Runs ``python -m experiments.NAME``. Raises ValueError on an unknown name."""
    spec = importlib.util.find_spec("experiments")  # found by name: no room of qd knows what is in it
    found = pkgutil.walk_packages(spec.submodule_search_locations if spec else [], "experiments.")
    here = [m.name.removeprefix("experiments.") for m in found if not m.ispkg]
    if not args or args[0].startswith("-") or args[0] not in here:
        asked = f"there is no experiment {args[0]!r}" if args else "which experiment?"
        raise UserError(f"{asked}; there is {nearest(args[0] if args else '', here) or 'none yet'}")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    sys.argv = [f"qd experiment {args[0]}", *args[1:]]
    runpy.run_module(f"experiments.{args[0]}", run_name="__main__", alter_sys=True)
    return 0


def _command(name: str) -> Callable[[list[str]], int | None]:
    if name == "experiment":
        return experiment
    if name in COMMANDS:
        return importlib.import_module(COMMANDS[name][0]).main
    others = _others()
    if name not in others:
        raise UserError(f"there is no command {name!r}; there is {nearest(name, [*COMMANDS, *others])}")
    from qd.config.build import locate

    return locate(others[name]["_target_"], f"conf/commands.yaml: {name}")


def _others() -> dict[str, dict[str, str]]:
    """Commands of rooms that qd does not import: name -> what to call, and what it does."""
    import yaml

    from qd.support.conf import conf

    return yaml.safe_load((conf() / "commands.yaml").read_text(encoding="utf-8"))


def _help() -> str:
    there = {name: what for name, (_, what) in COMMANDS.items()} | {name: told["what"] for name, told in _others().items()}
    lines = [f"  {name:11} {what}" for name, what in there.items()]
    first, last = "qd COMMAND ...   quality-diversity search", "qd run --help says what a run may be told."
    return "\n".join([first, "", *lines, "", last])
