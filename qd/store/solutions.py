"""Solutions found earlier or elsewhere: a run's archive, a pyribs data frame, a QDax map, a table of ours.

They are the initial population of a run (``from=``); the claims of their file are compared with the domain's own
evaluation. N solutions, D genes, M measures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qd.archives import objects
from qd.store import archive_file, tables
from qd.support import links, read_files, run_files
from qd.support.errors import UserError
from qd.types import Array, Batch, Domain

_SAME = 1e-4  # of the spread of the domain's own numbers: what another machine's arithmetic may do
_ROUNDING = 2.0**-22  # of a number: two roundings to float32
_SIGNS = {  # first bytes of files that are read by other programs
    b"PAR1": "a parquet file", b"PK": "a zip file, e.g. npz or xlsx", b"\x1f\x8b": "a gzip file", b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "one NumPy array", b"\x80": "a pickle, which could run any code",
}  # fmt: skip
_QDAX = ("genotypes", "fitnesses", "descriptors")  # QDax' names of its files


@dataclass(frozen=True)
class ImportedSolutions:
    """Solutions, and the objectives and measures that their file claims."""

    source: str
    solutions: Array  # [N, ...]
    objective: np.ndarray  # [N] as claimed
    measures: np.ndarray | None  # [N, M] as claimed
    empty: int = 0  # rows that hold no solution

    def compare(self, batch: Batch) -> dict[str, Any]:
        """Compares the claims with a domain's own evaluation of the solutions."""
        objective, failures = np.asarray(batch.evaluation.objective, float), np.asarray(batch.status) < 0
        off = np.abs(objective - self.objective)[~failures]
        table: dict[str, Any] = {
            "source": self.source,
            "solutions": len(self.objective),
            "failed": int(failures.sum()),
            "objective_differs": int(_differs(self.objective[~failures], objective[~failures]).sum()),
            "objective_differs_by": float(off.max()) if len(off) else 0.0,
        }
        if self.measures is not None and self.measures.shape == np.shape(batch.measures):
            measures = np.asarray(batch.measures, float)[~failures]
            table["measures_differ"] = int(_differs(self.measures[~failures], measures).any(axis=1).sum())
        return table

    def summary(self, batch: Batch) -> str:
        """Returns the comparison as a line of text."""
        table, note = self.compare(batch), f" ({self.empty} empty rows left out)" if self.empty else ""
        differ = [f"the objective of {table['objective_differs']:,} (by up to {table['objective_differs_by']:.4g})"]
        differ = differ if table["objective_differs"] else []
        differ += [f"the measures of {table['measures_differ']:,}"] if table.get("measures_differ") else []
        claims = f"{' and '.join(differ)} differ from what it claims" if differ else "all as it claims"
        failures = f", {table['failed']:,} failed" if table["failed"] else ""
        return f"{table['solutions']:,} solutions of {self.source}{note}, evaluated again: {claims}{failures}"


def _differs(claims: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Says of each claim [N, ...] whether it differs from the domain's own number by more than arithmetic does; NaN does."""
    spread = np.ptp(own, axis=0) if len(own) else 0.0
    return ~(np.abs(claims - own) <= _SAME * np.maximum(spread, 1e-6) + _ROUNDING * np.abs(own))


def load(source: str, domain: Domain) -> ImportedSolutions:
    """Reads solutions, in the shape and dtype that the domain samples.

    Args:
        source: the folder of a run, a table (csv, jsonl or parquet), or a folder or prefix of files that QDax saved.
        domain: samples one solution, for its shape and dtype.

    Returns:
        The N solutions and what their source claims of them, without empty rows; those of a run in order of id.

    Raises:
        ValueError: nothing of that name exists, it holds no solutions, or none that the domain can evaluate.
    """
    path = Path(source)
    if (path / run_files.ARCHIVE_HEADER).is_file():
        content = _of_run(path)
    elif npy := _qdax_files(path):
        content = _of_qdax(path, npy)
    elif path.suffix.lower() in tables.READERS and path.is_file():
        content = _of_table(path)
    else:
        raise UserError(
            f"{source} {_kind(path)}",
            f"name the folder of a run, a table ({', '.join(tables.READERS)}) with columns "
            "solution_0, solution_1, ... and objective, or a folder that QDax saved",
        )
    if len(content.solutions) == 0:
        raise UserError(f"{source} holds no solutions; is every row of it empty?")
    return _fit_to_domain(content, domain)


def _kind(path: Path) -> str:
    """Says what a path is that holds no solutions in a form that is read."""
    if not path.exists():
        return "does not exist"
    if path.is_dir():
        return "is a folder without archive.json or genotypes.npy"
    start = read_files.data(path, "name another file")[:8]
    sign = next((words for mark, words in _SIGNS.items() if start.startswith(mark)), None)
    return f"is of a kind that is not read ({path.suffix or 'no ending'}{f': it looks like {sign}' if sign else ''})"


def _of_run(path: Path) -> ImportedSolutions:
    links.check(path)
    columns = archive_file.load(path).columns
    oldest_first = np.argsort(columns["id"], kind="stable")
    solutions, objective, measures = (columns[name][oldest_first] for name in ("solution", "objective", "measures"))
    return ImportedSolutions(str(path), solutions, objective.astype(float), measures.astype(float))


def _of_table(path: Path) -> ImportedSolutions:
    columns = tables.READERS[path.suffix.lower()](path)
    if "objective" not in columns:
        raise UserError(f"{path} has no column objective; it has {', '.join(list(columns)[:10])}")
    solutions = columns.get("solution")
    if solutions is None:
        solutions = tables.block(columns, "solution")
    if solutions is None:
        raise UserError(
            f"{path} has no columns solution_0, solution_1, ... (as pyribs and qd export name them), nor one called "
            f"solution; it has {', '.join(list(columns)[:10])}"
        )
    measures = tables.block(columns, "measures")
    if measures is not None and measures.dtype == object:
        measures = tables.parse_printed(measures)
    return _without_empty(str(path), solutions, tables.numbers(path, columns, "objective"), measures)


def _qdax_files(path: Path) -> dict[str, Path] | None:
    """Finds QDax' files in a folder, or behind a prefix, as its ``save`` writes them."""
    for start in (f"{path}/", str(path)):
        files = {name: Path(f"{start}{name}.npy") for name in _QDAX}
        if all(file.is_file() for file in files.values()):
            return files
    return None


def _of_qdax(path: Path, files: dict[str, Path]) -> ImportedSolutions:
    arrays = {name: _npy(file) for name, file in files.items()}
    solutions, objective, measures = (arrays[name] for name in _QDAX)
    objective = objective.reshape(len(objective), int(np.prod(objective.shape[1:])))
    if len({len(column) for column in arrays.values()}) != 1 or objective.shape[1] != 1 or solutions.ndim < 2:
        shapes = ", ".join(f"{name} {list(column.shape)}" for name, column in arrays.items())
        raise UserError(f"{path} is no map of QDax with one fitness a cell: it holds {shapes}; solutions must be [cells, D]")
    return _without_empty(str(path), solutions, objective[:, 0].astype(float), measures.astype(float))


def _npy(file: Path) -> np.ndarray:
    column = read_files.npy(file, "save it again with numpy.save")
    if column.dtype.kind not in "biuf" or column.ndim < 1:
        raise UserError(f"{file} holds {column.dtype} {list(column.shape)}; numbers are wanted, one row a cell")
    return column


def _without_empty(source: str, solutions: Array, objective: np.ndarray, measures: np.ndarray | None) -> ImportedSolutions:
    """Leaves out empty cells: their objective is -inf or NaN."""
    there = np.isfinite(objective)
    if solutions.dtype != object and not np.isfinite(solutions[there]).all():
        row = int(np.flatnonzero(there)[~np.isfinite(solutions[there]).reshape(int(there.sum()), -1).all(axis=1)][0])
        raise UserError(f"row {row + 1} of {source} has an objective, but its solution is not finite", "correct or remove it")
    finite = None if measures is None else measures[there]
    return ImportedSolutions(source, solutions[there], objective[there], finite, int((~there).sum()))


def _fit_to_domain(content: ImportedSolutions, domain: Domain) -> ImportedSolutions:
    """Gives solutions of numbers the dtype and shape of the domain's own."""
    solutions = content.solutions
    like = domain.sample(np.zeros(2, np.uint32), 1)
    like = objects(like) if isinstance(like, list) else np.asarray(like)
    if solutions.dtype == object and like.dtype != object:
        arrays = tables.parse_printed(solutions)
        solutions = solutions if arrays is None else arrays
    if (solutions.dtype == object) != (like.dtype == object):
        theirs, ours = ("Python objects" if column.dtype == object else "numbers" for column in (solutions, like))
        raise UserError(
            f"the solutions of {content.source} are {theirs}, but {_name(domain)} samples {ours}", "type domain=..."
        )
    if like.dtype == object:
        return content
    if np.prod(solutions.shape[1:]) != np.prod(like.shape[1:]):
        raise UserError(
            f"the solutions of {content.source} have shape {list(solutions.shape[1:])}, but {_name(domain)} samples "
            f"{list(like.shape[1:])}",
            "type the settings of the domain that they come from (domain=..., domain.KEY=...)",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        own = solutions.reshape(len(solutions), *like.shape[1:]).astype(like.dtype)
    if like.dtype.kind == "f" and not np.isfinite(own).all():
        raise UserError(f"a solution of {content.source} is not finite as {like.dtype}", "correct or remove it")
    if like.dtype.kind in "biu" and not np.array_equal(own.reshape(solutions.shape), solutions):
        raise UserError(f"{_name(domain)} searches whole numbers, but {content.source} holds others", "type domain=...")
    return ImportedSolutions(content.source, own, content.objective, content.measures, content.empty)


def _name(part: Any) -> str:
    return type(part).__name__
