"""`qd label RUN`: serves the page, and takes answers out of a run or into it."""

import argparse
import importlib.util
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from feedback.label import guard, jsonl, store
from qd.support.errors import UserError

_NEEDS = ("starlette", "itsdangerous", "uvicorn", "jinja2")


def main(args: Sequence[str]) -> int:
    """Serves, exports or imports. Raises ValueError where a run holds no questions, or a package lacks."""
    if args and args[0] in ("export", "import"):
        return {"export": _export, "import": _import}[args[0]](args[1:])
    parser = argparse.ArgumentParser(
        "qd label",
        description="Serves the page on which people answer what a search with judge=people asks. "
        "Also: qd label export RUN, qd label import RUN FILE.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of the run, which the search names")
    parser.add_argument("--port", type=int, default=8765, help="8765 by default")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, e.g. 0.0.0.0; then a key is needed")
    parser.add_argument("--name", action="append", default=[], help="one more host name by which browsers may call it")
    parser.add_argument("--key", help="what others must bring; made by chance and kept where it is not given")
    parser.add_argument("--limit", type=float, default=20.0, help="answers a second of one rater; 20 by default")
    asked = parser.parse_args(args)
    return serve(asked.run, asked.host, asked.port, asked.name, asked.key, asked.limit)


def serve(run: Path, host: str, port: int, names: Sequence[str], key: str | None, limit: float) -> int:
    """Serves the page until it is stopped. Raises ValueError where it cannot."""
    lacks = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if lacks:
        raise UserError(f"qd label needs {', '.join(lacks)}, which is not installed", "type pip install 'qd-atlas[label]'")
    if limit <= 0 or not 0 < port < 65536:
        raise UserError(f"--limit {limit:g} --port {port} cannot be", "type a limit above 0 and a port of 1 to 65535")
    import uvicorn

    from feedback.label.page import application

    with store.opened(_asked(run)) as db:
        key = key or (None if host in guard.LOOPBACK else _kept_key(db))
        where = f"http://{f'[{host}]' if ':' in host else host}:{port}/" + (f"?key={key}" if key else "")
        print(f"people answer at {where}\nCtrl-C ends it; every answer is stored in {run / store.FOLDER}", flush=True)
        app = application(run, db, guard.hosts(host, port, tuple(names)), limit, key)
        server = uvicorn.Server(
            uvicorn.Config(app, host, port, log_level="warning", access_log=False, server_header=False, lifespan="off",
                           limit_concurrency=200, timeout_keep_alive=20, ws="none")
        )  # fmt: skip
        server.run()
    return 0 if server.started else 1


def _export(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("qd label export", description="Writes a run's answers, a JSON line each.")
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--out", metavar="FILE", type=Path, help="standard output where it is not given")
    asked = parser.parse_args(args)
    with store.opened(_asked(asked.run)) as db:
        answers = list(jsonl.records(db))
    text = jsonl.text(answers)
    if asked.out is None:
        sys.stdout.write(text)
    else:
        try:
            asked.out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{asked.out} cannot be written ({error.strerror})", "type --out with another file") from error
        print(f"{len(answers)} answers in {asked.out}; type judge=recorded judge.path={asked.out} to learn from them again")
    return 0


def _import(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("qd label import", description="Takes answers given elsewhere into a run.")
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("file", metavar="FILE", type=Path)
    asked = parser.parse_args(args)
    try:
        given = asked.file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{asked.file} cannot be read ({error})", "type a file of JSON lines") from error
    with store.opened(asked.run) as db:
        took = jsonl.take(db, given)
    print(f"{took.new} answers are new in {asked.run}, {took.there} were there")
    return 0


def _asked(run: Path) -> Path:
    """Raises ValueError where a folder is no run's."""
    if not store.there(run):
        raise UserError(f"{run} is no folder of a run", "type qd run recipe=label_images, and then what it says")
    return run


def _kept_key(db: store.sqlite3.Connection) -> str:
    """The key of this run, so that addresses given away stay good."""
    if not store.about(db, "key"):
        store.note(db, "key", secrets.token_urlsafe(16))
    return store.about(db, "key")
