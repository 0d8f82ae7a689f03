"""Mistyped commands: words of valid commands, dropped, doubled, misspelt, or with values that cannot be meant.

A command that is accepted must have done what it says: a run ends with the settings that were typed, and with as many
evaluations as its budget.
"""

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.fuzz.case import Hang, Report, Sentinel, Wrong, observe, of_seed, patience
from tests.fuzz.files import run_command

SMALL = ["budget=64", "initial=32", "emitter.batch_size=32", "renderings=0", "archive.dims=[5,5]"]
RUNS = [
    ["run", *SMALL],
    ["run", "domain=sphere", *SMALL],
    ["run", "domain=arm", "domain.joints=4", "seed=3", *SMALL],
    ["run", "domain=sphere", "emitter=cma_me", "budget=64", "initial=32", "renderings=0", "archive.dims=[5,5]"],
    [
        "run",
        "domain=arm",
        "archive=cvt",
        "archive.cells=20",
        "budget=64",
        "initial=32",
        "emitter.batch_size=32",
        "renderings=0",
    ],
    ["run", "domain=text", "lm=toy", "budget=20", "initial=10", "renderings=0"],
]
OTHERS = [
    ["plot", "RUN"],
    ["collect", "RUNS"],
    ["export", "RUN", "--format", "csv", "--out", "elites.csv"],
    ["export", "RUN", "--format", "jsonl"],
    ["select", "RUN", "--n", "4"],
    ["query", "RUN", "objective>=10", "--top", "3", "--by", "-objective"],
    ["import", "elites.csv", "domain=arm", "domain.joints=10", "archive.dims=[5,5]"],
    ["ask", "RUN"],
    ["tell", "RUN", "results.jsonl"],
    ["new", "pendulum"],
    ["doctor", "domain=sphere", "archive.dims=[5,5]"],
    ["study", "no_such_study"],
    ["label", "RUN", "--port", "0"],
]
VALUES = (
    "", "0", "-1", "1.5", "nan", "inf", "-inf", "1e999", "1e3", "010", "1:30", "0x10", "True", "None", "null", "[]",
    "{}", "[1", "]",
    "[5,5,5]", "[[0,1],[1,0]]", "[[0,0],[0,0]]", "(1,2)", "'", '"', "\\", "$", "${seed}", "${oc.env:HOME}", "???",
    "a=b", "=", ",", "1,2",
    "é", "\u202e", "../../outside/diary.txt", "/dev/null", "/", ".", "~", "*", "a b", "\n", "\t", "--help", "-x", "--",
    "x" * 300,
    "range(0,3)", "choice(1,2)", "os.mkdir", "!!python/name:os.mkdir",
)  # fmt: skip
KEYS = (
    "objective_range", "refit", "keep", "log_every", "save_every", "archive", "emitter", "descriptor", "domain",
    "recipe", "referee",
    "driver", "seeds", "name", "runs", "lm", "judge", "console", "reserve", "again", "from", "until", "descriptor.bounds",
    "descriptor.feature", "domain._target_", "archive.learning_rate", "emitter.sigma", "budgett", "archive.dim",
)  # fmt: skip
COMMANDS = sorted({words[0] for words in OTHERS + RUNS})
SLOW = (
    "budget",
    "initial",
    "renderings",
    "archive.dims",
    "archive.cells",
    "domain.joints",
    "emitter.batch_size",
    "lm.max_tokens",
)
STOP_AFTER, LIMIT = 12, 40  # seconds


def attack(report: Report, folder: Path, numbers: range) -> None:
    """Runs mistyped commands in folders of their own."""
    sentinel = Sentinel(folder)
    whole = folder / "whole"
    run_command("run", *SMALL, f"runs={whole}/runs", "name=whole")
    run = next((whole / "runs").glob("whole/*/archive.json")).parent.rename(whole / "runs" / "whole" / "s")
    run_command("export", str(run), "--format", "csv", "--out", str(whole / "elites.csv"))
    (whole / "results.jsonl").write_text('{"id": 0, "objective": 1.0}\n')
    for number in numbers:
        draw = of_seed(report.seed, number)
        place = folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        words = _mistype(draw, list(draw.choice(RUNS if draw.random() < 0.5 else OTHERS)))
        words = [word.replace("RUNS", "runs/whole").replace("RUN", "runs/whole/s") for word in words]
        outcome, message = observe(lambda words=words, place=place: _run(words, place), sentinel, LIMIT)
        kind = words[0] if words and words[0] in COMMANDS else "(no command)"
        report.add(kind, outcome, f"case {number}, qd {words}: {message}")


def _mistype(draw: random.Random, words: list[str]) -> list[str]:
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(words)) if words else 0
        step = draw.choice(
            ("drop", "double", "swap", "letter", "letter", "value", "value", "value", "key", "separate", "other")
        )
        if step == "drop" and words:
            del words[at]
        elif step == "double" and words:
            words.insert(at, words[at])
        elif step == "swap" and words:
            other = draw.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif step == "letter" and words:
            words[at] = _misspell(draw, words[at])
        elif step == "value" and words:
            key, sign, _ = words[at].partition("=")
            words[at] = f"{key}={_value(draw, key)}" if sign else draw.choice(VALUES)
        elif step == "key":
            key = draw.choice(KEYS)
            words.append(f"{draw.choice(('', '', '+', '++', '~'))}{key}={_value(draw, key)}")
        elif step == "separate" and words:
            words[at : at + 1] = words[at].replace("=", " ").split(" ")
        else:
            words.append(draw.choice(draw.choice(OTHERS + RUNS)[1:]))
    return words


def _misspell(draw: random.Random, word: str) -> str:
    key = word.partition("=")[0]
    at = draw.randrange(len(word) + 1)
    if key in SLOW and at > len(key):
        at = draw.randrange(len(key))  # no budget of millions by a slip
    return draw.choice(
        (word[:at] + word[at + 1 :], word[:at] + word[at : at + 1] * 2 + word[at + 1 :], word[:at] + "x" + word[at:])
    )


def _value(draw: random.Random, key: str) -> str:
    value = draw.choice(VALUES)
    return "-64" if key in SLOW and value == "1e3" else value


def _run(words: list[str], place: Path) -> None:
    """Runs one command as a process would; a search that takes long is stopped as by Ctrl-C, which it survives."""
    began = sys.argv, Path.cwd()

    def stop(*_: object) -> None:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, patience(LIMIT - STOP_AFTER))
        raise KeyboardInterrupt

    def end(*_: object) -> None:
        raise Hang

    if words[:1] == ["run"] or words[:1] == ["import"]:
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, patience(STOP_AFTER))
    os.chdir(place)
    try:
        sys.argv = ["qd", *words]
        run_command(*words)
        if words[:1] == ["run"]:
            _check_runs(words[1:], place)
    finally:
        sys.argv = began[0]
        os.chdir(began[1])


def _check_runs(words: list[str], place: Path) -> None:
    """Compares the runs that were made with what was typed."""
    made = [path.parent for path in place.rglob("result.json") if "whole" not in path.parts]
    for run in made:
        config = yaml.safe_load((run / "config.yaml").read_text()) if (run / "config.yaml").is_file() else None
        result = json.loads((run / "result.json").read_text())
        config = config or json.loads((run / "archive.json").read_text())["config"]
        if result["status"] == "finished" and result["evaluations"] < config["budget"]:
            raise Wrong(f"{result['evaluations']} evaluations of {config['budget']}")
        if len(made) == 1:
            _check_settings(words, config)


def _check_settings(words: list[str], config: dict[str, Any]) -> None:
    """Each setting that was typed once, as Hydra's own grammar reads it, must be in the run's config."""
    parser = OverridesParser.create()
    settings = [word for word in words if "=" in word and not word.startswith(("-", "~"))]
    for override in parser.parse_overrides(settings) if settings else []:
        key, value = override.key_or_group, override.value()
        same = [word for word in settings if word.lstrip("+").partition("=")[0] == key]
        at: Any = config
        for name in key.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if len(same) == 1 and plain and isinstance(at, (int, float)) and at != value:
            raise Wrong(f"{key} is {at}, and {value} was typed")
