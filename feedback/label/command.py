"""`qd label RUN`: serves the labelling page, and exports or imports the answers of a run."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from feedback.label import jsonl, private, run_view, store
from qd.support import links
from qd.support.errors import UserError
from qd.support.web import server


def main(words: Sequence[str]) -> int:
    """Serves, exports or imports. Raises UserError where a search asks no raters, or a package is missing."""
    if words and words[0] in ("export", "import"):
        return {"export": _export, "import": _import}[words[0]](words[1:])
    parser = argparse.ArgumentParser(
        "qd label",
        description="Serves the page on which raters answer the questions of a search with judge=people. "
        "Also: qd label export RUN, qd label import RUN FILE.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of the run, as the search prints it")
    server.add_options(parser, 8765)
    parser.add_argument("--limit", type=float, default=20.0, help="most answers a second of one rater; 20 by default")
    args = parser.parse_args(words)
    return serve(args.run, args.host, args.port, args.name, args.key, args.limit)


def serve(run: Path, host: str, port: int, names: Sequence[str], key: str | None, limit: float) -> int:
    """Serves the page until it is stopped.

    Args:
        run: the run's folder.
        host: address to listen on.
        port: 1 to 65535.
        names: further host names of the page.
        key: secret in the address that raters open; None: no key where only this machine can connect, else the stored one.
        limit: forms a second of one rater, at most; above 0.

    Returns:
        The exit status: 1 where the server could not start.

    Raises:
        UserError: a package is missing, a value is out of range, the search asks no raters, or its store or secrets cannot be
            opened.
    """
    server.check("qd label", port)
    if not limit > 0:
        raise UserError(f"--limit {limit:g} is out of range", "type a number above 0")
    from feedback.label.page import application

    _check_asks(run)
    with store.opened(run, any_thread=True) as db:
        labels = run / store.FOLDER
        where = server.address(host, port, names, key, lambda: private.secret(labels, private.KEY))
        lines = [f"raters answer at {where.url}", f"Ctrl-C ends it; every answer is stored in {labels}"]
        return server.serve(application(run, db, where.hosts, limit, where.key), where, lines)


def _export(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("qd label export", description="Writes a run's answers, a JSON line each.")
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("--out", metavar="FILE", type=Path, help="standard output by default")
    args = parser.parse_args(words)
    _check_answers(args.run)
    with store.opened(args.run) as db:
        answers = list(jsonl.records(db))
    text = jsonl.text(answers)
    if args.out is None:
        sys.stdout.write(text)
    else:
        try:
            args.out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{args.out} cannot be written ({error.strerror})", "type --out with another file") from error
        print(f"{len(answers)} answers in {args.out}; type judge=recorded judge.path={args.out} to learn from them again")
    return 0


def _import(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("qd label import", description="Adds answers of another source to a run.")
    parser.add_argument("run", metavar="RUN", type=Path)
    parser.add_argument("file", metavar="FILE", type=Path)
    args = parser.parse_args(words)
    try:
        lines = args.file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{args.file} cannot be read ({error.strerror})", "type a file that qd label export wrote") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{args.file} is not a text in UTF-8", "type a file that qd label export wrote") from error
    _check_asks(args.run)
    with store.opened(args.run) as db:
        counts = jsonl.take(db, lines)
    print(f"{counts.new} new answers in {args.run}; it had {counts.duplicates} of them already")
    return 0


def _check_asks(run: Path) -> None:
    """Raises UserError where a folder is not a run's, or its search asks no raters; nothing is created there."""
    links.check(run)
    if not store.there(run):
        raise UserError(f"{run} is not the folder of a run", "type the folder that qd run prints, e.g. runs/label_images/s0")
    if not _has_store(run) and not run_view.asks_raters(run):
        raise UserError(f"the search in {run} asks no raters", "start one with judge=people, e.g. qd run recipe=label_images")


def _check_answers(run: Path) -> None:
    """Raises UserError where a folder holds no answers; nothing is created there."""
    _check_asks(run)
    if not _has_store(run):
        raise UserError(f"{run} holds no answers yet", f"type qd label {shlex.quote(str(run))}, and answer its questions")


def _has_store(run: Path) -> bool:
    return (run / store.FOLDER / store.FILE).is_file()
