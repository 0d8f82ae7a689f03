"""Damaged files: each file of a run folder, tables for `qd import`, recorded answers, results for `qd tell`.

What is right is decided without the readers: an archive, a history and metrics must come back as they were written, another
text file must come back as the standard library reads it.
"""

import contextlib
import csv
import io
import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import qd
from domains.arm import Arm
from feedback.judges import CANT_TELL, A, B
from feedback.judges.similarity.recorded import RecordedAnswers
from qd.cli.main import main
from qd.store import solutions, tables
from qd.support.errors import UserError
from qd.types import Rows
from tests.fuzz.case import Report, Sentinel, Wrong, observe, of_seed
from tests.fuzz.damage import Copy, damage

RUN_FILES = (
    "archive.npz", "archive.json", "metrics.csv", "history.npz", "config.yaml", "result.json", "events.jsonl",
    "renderings/*.svg", "checksums.json",
)  # fmt: skip
JOINTS, ROWS = 4, 12


def attack(report: Report, folder: Path, numbers: range) -> None:
    """Damages one file in each case and reads what is left; cheap readers are tried more often."""
    sentinel = Sentinel(folder)
    attacks = [*_runs(folder), *_tables(folder), *_answers(folder), _resumed(folder)]
    weights = [weight for weight, *_ in attacks]
    copies = {whole: Copy(whole, folder / "copies" / whole.name / "copy") for _, _, whole, *_ in attacks}
    for number in numbers:
        draw = of_seed(report.seed, number)
        _, kind, whole, name, read = draw.choices(attacks, weights)[0]
        copies[whole].restore()
        copy = copies[whole].folder
        path = draw.choice(sorted(copy.glob(name)))
        how = damage(draw, path, sentinel)
        outcome, message = observe(lambda read=read, copy=copy, path=path: read(copy, path), sentinel)
        report.add(kind, outcome, f"case {number}, {kind}, {path.relative_to(copy)} ({how}): {message}")


def run_command(*words: str) -> None:
    """Runs a command in this process. Raises UserError where it ended with a message and a status other than 0."""
    printed, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        status = main(list(words))
    print(printed.getvalue())
    if status:
        raise UserError(errors.getvalue().strip() or printed.getvalue().strip())


# --- the folder of a run

Attack = tuple[float, str, Path, str, Callable[[Path, Path], None]]  # weight, kind, whole folder, file, reader


def _runs(folder: Path) -> list[Attack]:
    whole = folder / "run"
    words = ["domain=arm", f"domain.joints={JOINTS}", "budget=128", "archive.dims=[6,6]", "emitter.batch_size=64", "initial=64"]
    run_command("run", *words, "renderings=9", f"runs={folder}/runs", "name=whole")
    shutil.move(next((folder / "runs").glob("whole/*/archive.json")).parent, whole)
    reference = qd.load_run(whole)
    elites, history = reference.elites, reference.history
    tables_of_run = {"elites": elites, "history": history, "metrics": reference.metrics}

    def load(copy: Path, path: Path) -> None:
        run = qd.load_run(copy)
        for name, before in tables_of_run.items():
            after = getattr(run, name)
            if not after.equals(before):
                raise Wrong(f"{name} came back changed")
        if (copy / "config.yaml").is_file() and run.config != _yaml(copy / "config.yaml"):
            raise Wrong(f"config is {str(run.config)[:200]}")
        str(run), run.finished, run.best

    def table(copy: Path, path: Path) -> None:
        out = copy.with_name("table.csv")
        out.unlink(missing_ok=True)
        run_command("export", str(copy), "--format", "csv", "--out", str(out))
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if not np.array_equal(np.float32([row["objective"] for row in rows]), elites["objective"]):
            raise Wrong("objectives came back changed")

    def command(*words: str) -> Callable[[Path, Path], None]:
        return lambda copy, path: run_command(words[0], str(copy), *words[1:])

    readers = [
        (4.0, "load_run", load),
        (2.0, "qd export", table),
        (1.0, "qd query", command("query")),
        (1.0, "qd select", command("select", "--n", "4")),
        (0.02, "qd compare", command("compare")),
        (0.5, "qd ask", command("ask")),
        (0.5, "qd export onnx", command("export", "--format", "onnx", "--where", "objective>=0")),
        (0.02, "qd plot", command("plot")),
        (0.3, "qd report", command("report")),
    ]
    return [(weight / len(RUN_FILES), kind, whole, name, read) for weight, kind, read in readers for name in RUN_FILES]


def _yaml(path: Path) -> Any:
    content = yaml.safe_load(_text(path))
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    """A text in UTF-8, or in UTF-16 with a byte order mark."""
    content = path.read_bytes()
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


# --- a run that was stopped, and goes on


def _resumed(folder: Path) -> Attack:
    whole = folder / "half"
    words = [
        "domain=arm", f"domain.joints={JOINTS}", "archive.dims=[6,6]", "emitter.batch_size=64", "initial=64", "renderings=0",
        "save_every=64", "driver=host",
    ]  # fmt: skip
    run_command("run", *words, "budget=256", f"runs={folder}/runs", "name=half")
    finished = next((folder / "runs").glob("half/*/archive.json")).parent
    expected = qd.load_run(finished).elites
    shutil.copytree(finished, whole / "runs" / "half" / finished.name)
    for name in ("result.json", "archive.json", "archive.npz", "figures"):
        path = whole / "runs" / "half" / finished.name / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    newest = sorted((whole / "runs/half").glob("*/checkpoint/*"))
    for path in newest[1:]:
        path.unlink()

    def resume(copy: Path, path: Path) -> None:
        run_command("run", *words, "budget=256", f"runs={copy}/runs", "name=half")
        run = next((copy / "runs/half").glob("*/archive.json")).parent
        if not qd.load_run(run).elites.equals(expected):
            raise Wrong("it went on to another archive")

    return 0.02, "resume", whole, "runs/half/*/**/*.*", resume


# --- tables that are imported


def _tables(folder: Path) -> list[Attack]:
    whole = folder / "tables"
    whole.mkdir()
    draw = np.random.default_rng(0)
    columns = {
        "objective": draw.normal(size=ROWS).astype(np.float32),
        "measures": draw.uniform(size=(ROWS, 2)).astype(np.float32),
        "solution": draw.normal(size=(ROWS, JOINTS)).astype(np.float32),
    }
    (whole / "table.csv").write_bytes(tables.to_csv(columns))
    (whole / "table.jsonl").write_bytes(tables.to_jsonl(columns))
    domain = Arm(joints=JOINTS)

    def read(copy: Path, path: Path) -> None:
        known = solutions.load(str(path), domain)
        rows = _plain_csv(path) if path.suffix == ".csv" else _plain_jsonl(path)
        rows = [row for row in rows if row is not None]
        found = np.column_stack([known.objective, np.asarray(known.solutions, float)])
        original = np.column_stack([columns["objective"], columns["solution"]]).astype(float)
        whole_rows = {tuple(np.float32(row)) for row in original} | {tuple(np.float32(row)) for row in rows}
        if any(tuple(row) not in whole_rows for row in np.float32(found)):
            raise Wrong(f"rows came back that the file does not hold: {found[:3]}")
        if rows and len(found) + known.empty < len(rows):
            raise Wrong(f"{len(found)} of {len(rows)} rows came back")

    attacks: list[Attack] = [(2.0, "import csv", whole, "table.csv", read), (2.0, "import jsonl", whole, "table.jsonl", read)]
    try:
        (whole / "table.parquet").write_bytes(tables.to_parquet(columns))
    except UserError:
        return attacks
    return [
        *attacks,
        (1.0, "import parquet", whole, "table.parquet", lambda copy, path: solutions.load(str(path), domain) and None),
    ]


def _plain_csv(path: Path) -> list[tuple[float, ...] | None]:
    """What the csv module reads of the columns objective and solution_*; None for a row that is not all numbers."""
    try:
        rows = list(csv.DictReader(io.StringIO(_text(path))))
    except (ValueError, csv.Error):
        return []
    return [_row([row.get("objective"), *(row.get(f"solution_{i}") for i in range(JOINTS))]) for row in rows]


def _plain_jsonl(path: Path) -> list[tuple[float, ...] | None]:
    try:
        rows = [json.loads(line) for line in _text(path).split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return []
    rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("solution"), list)]
    return [_row([row.get("objective"), *row["solution"]]) for row in rows]


def _row(cells: list[Any]) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(cell) for cell in cells)
    except (TypeError, ValueError):
        return None
    objective, *solution = numbers  # a claim of inf is compared, and counted as wrong, when the solution is evaluated
    claim = objective == math.inf or math.isfinite(objective)
    return numbers if claim and len(solution) == JOINTS and all(map(math.isfinite, solution)) else None


# --- recorded answers


def _answers(folder: Path) -> list[Attack]:
    whole = folder / "answers"
    whole.mkdir()
    draw = random.Random(0)
    lines = [{"x": i, "a": i + 1, "b": i + 2, "answer": draw.choice("ab?"), "rater": "r1"} for i in range(20)]
    (whole / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    triples = np.arange(20)[:, None] + np.arange(3)

    def rows(ids: np.ndarray) -> Rows:
        return Rows(ids, np.zeros((len(ids), 2), np.float32), np.zeros(len(ids)), {}, np.ones(len(ids), bool))

    def read(copy: Path, path: Path) -> None:
        found = RecordedAnswers(str(path))(*map(rows, triples.T)).tolist()
        expected = _plain_answers(path)
        if expected is not None and found != expected:
            raise Wrong(f"answers came back as {found}, not {expected}")

    return [(2.0, "recorded answers", whole, "answers.jsonl", read)]


def _plain_answers(path: Path) -> list[int] | None:
    """What the json module reads, where each question of the whole file has at most one answer; else None."""
    codes = {"a": A, "b": B, "?": CANT_TELL}
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        answers = {(line["x"], line["a"], line["b"]): codes[line["answer"]] for line in lines}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if len(answers) < len(lines) or any((x, b, a) in answers for x, a, b in answers):
        return None
    turned = {A: B, B: A, CANT_TELL: CANT_TELL}
    return [answers.get((i, i + 1, i + 2), turned[answers.get((i, i + 2, i + 1), CANT_TELL)]) for i in range(20)]
