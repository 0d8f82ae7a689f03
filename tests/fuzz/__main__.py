"""Runs the attacks and prints what became of them; returns 1 where a fault is left."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Parses the command line and runs the parts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--part", choices=("files", "commands", "endpoints", "page"), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, help="cases of each part")
    parser.add_argument("--log", type=Path, help="file of finished pieces: the same command goes on after an interruption")
    parser.add_argument("--full", action="store_true", help="200,000 files, 5,000 commands, 20,000 replies, 20,000 requests")
    args = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"):
            os.environ[name] = str(Path(folder) / "home")
        from tests.fuzz import parts

        faults = 0
        for name in args.part or parts.SIZES:
            began = time.monotonic()
            cases = args.cases or parts.SIZES[name][1 if args.full else 0]
            place = Path(folder) / name
            if args.log:
                report = parts.run_logged(name, place, args.seed, cases, args.log.resolve())
            else:
                report = parts.run(name, place, args.seed, range(cases))
            print(report.table(), f"{time.monotonic() - began:.0f} s", *report.faults, sep="\n", flush=True)
            faults += len(report.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
