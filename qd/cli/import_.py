"""`qd import FILE domain=...`: what another library has found, evaluated anew by our domain, as a run of ours."""

from collections.abc import Sequence
from pathlib import Path

from qd.store import solutions
from qd.support.errors import UserError

USAGE = """usage: qd import FILE [KEY=VALUE ...]

FILE: a table (csv, jsonl, parquet) with columns solution_0, ... and objective, as pyribs' data frames and qd export
write it; a folder that QDax saved; or the folder of a run. Its solutions are evaluated by domain=... and put into a run
folder; what the domain says otherwise than FILE is counted. With budget=N the search goes on from there, as does
qd run from=FILE."""


def main(args: Sequence[str]) -> int:
    """Imports. Raises ValueError where the file holds no solutions of the domain."""
    if not args or {"-h", "--help"} & set(args):
        print(USAGE)
        return 0 if args else 2
    from qd.config.compose import assemble, load
    from qd.runner.terminal import job, prepare

    prepare()
    file, *overrides = args
    if "=" in file and not Path(file).exists():
        raise UserError(f"{file} is no file", "type the file first: qd import FILE domain=...")
    overrides = [*overrides, f"from={file}"]
    config = load(overrides)
    if not any(override.startswith("budget=") for override in overrides):
        known = solutions.load(config["source"], assemble(config).search.domain)
        overrides.append(f"budget={len(known.solutions)}")
        config = load(overrides)
    return {"stopped": 130, "spent": 3}.get(job(config, overrides)["status"], 0)
