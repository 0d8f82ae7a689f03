"""`qd import FILE domain=...`: the solutions of another library, evaluated again by our domain, as a run of ours.

FILE: a table (csv, jsonl, parquet) with columns solution_0, ... and objective, as pyribs' data frames and qd export
write it; a folder that QDax saved; a checkpoint of openevolve, with domain=openevolve; or the folder of a run. Its
solutions are evaluated by domain=... and put into a run folder; what the domain says otherwise than FILE is counted.
With budget=N the search goes on from there, as does qd run from=FILE.
"""

import glob
from collections.abc import Sequence
from pathlib import Path

from qd.cli.parser import command_parser
from qd.support.errors import UserError


def main(words: Sequence[str]) -> int:
    """Imports. Raises UserError where the file holds no solutions of the domain."""
    parser = command_parser("import", __doc__, "qd import FILE [KEY=VALUE ...]")
    parser.add_argument("file", metavar="FILE", help="a table, or a folder")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="the same words as for qd run")
    args = parser.parse_args(words)

    from qd.config.existing import settings_of_words
    from qd.store import solutions

    file = Path(args.file)
    if not file.exists() and not any(file.parent.glob(f"{glob.escape(file.name)}*")):  # QDax is given a prefix of names
        what = "is no file" if "=" in args.file else "does not exist"
        raise UserError(f"{file} {what}", "type the file first: qd import FILE domain=...")
    solutions.check_source(file)  # before JAX is imported
    settings_of_words([*args.overrides, f"from={args.file}"])

    from qd.runner.terminal import import_solutions

    return import_solutions(args.file, args.overrides)
