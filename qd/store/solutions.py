"""Solutions found earlier or elsewhere: a run's archive, a pyribs data frame, a QDax map, a table of ours.

They are the initial population of a run (``from=``); the claims of their file are compared with the domain's own
evaluation. N solutions, D genes, M measures, K objectives.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from qd import abilities
from qd.archives import objects
from qd.store import archive_file, checkpoints_of_openevolve, tables
from qd.support import links, read_files, run_files
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Array, Batch, Domain, Evaluation

_SAME = 1e-4  # of the scale of a number: what another machine's arithmetic may do
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
    objective: np.ndarray  # [N] as claimed, or [N, K] of a domain with K objectives
    measures: np.ndarray | None  # [N, M] as claimed
    empty: int = 0  # rows that hold no solution
    unreadable: bool = False  # the measures are there, but are no numbers
    own: np.ndarray | None = None  # [N] of K objectives what the loop makes of them: the row's own hypervolume

    def compare(self, batch: Batch) -> dict[str, Any]:
        """Compares the claims with a domain's own evaluation of the solutions.

        Args:
            batch: the evaluated solutions, in the same order.

        Returns:
            Fields of an event: how many objectives and measures differ, by how much the objective does, how many solutions
            failed, and why the measures were not compared where they were not.
        """
        claims, objective, valid = self.objective, batch.evaluation.objective, np.asarray(batch.status) >= 0
        if self.own is not None:  # an archive without fronts stores one objective
            several = batch.evaluation.features.get(OBJECTIVES)
            claims, objective = (self.own, objective) if several is None else (claims, several)
        objective = np.asarray(objective, float)
        different = _differs(claims[valid], objective[valid])
        off = float(np.abs(objective - claims)[valid][different].max(initial=0))
        differs = different.reshape(len(different), -1).any(axis=1)
        table: dict[str, Any] = {
            "source": self.source,
            "solutions": len(self.objective),
            "failed": int((~valid).sum()),
            "objective_differs": int(differs.sum()),
            "objective_differs_by": off if np.isfinite(off) else None,  # JSON has no infinity
        }
        measures = np.asarray(batch.measures, float)
        if (problem := self._measures_problem(measures.shape[1])) or self.measures is None:
            return table | {"measures_not_compared": problem}
        return table | {"measures_differ": int(_differs(self.measures[valid], measures[valid]).any(axis=1).sum())}

    def _measures_problem(self, m: int) -> str:
        """Says why the claimed measures cannot be compared with M of the domain; nothing where they can."""
        if self.unreadable:
            return "unreadable"
        if self.measures is None:
            return f"no column{'s' if m > 1 else ''} {', '.join(f'measures_{i}' for i in range(m))}"
        k = self.measures.shape[1]
        return "" if k == m else f"{k} column{'s' if k > 1 else ''} of {m}"

    def summary(self, batch: Batch) -> str:
        """Returns the comparison as a line of text."""
        table, note = self.compare(batch), f" ({self.empty} empty rows left out)" if self.empty else ""
        off = table["objective_differs_by"]
        differ = [f"the objective of {table['objective_differs']:,} (by up to {'inf' if off is None else f'{off:.4g}'})"]
        differ = differ if table["objective_differs"] else []
        differ += [f"the measures of {table['measures_differ']:,}"] if table.get("measures_differ") else []
        problem = table.get("measures_not_compared")
        equal = "every objective as it claims" if problem else "all as it claims"
        claims = f"{' and '.join(differ)} differ from what it claims" if differ else equal
        claims += f"; measures not compared ({problem})" if problem else ""
        failures = f", {table['failed']:,} failed" if table["failed"] else ""
        return f"{table['solutions']:,} solutions of {self.source}{note}, evaluated again: {claims}{failures}"


def _differs(claims: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Returns which claims [N, ...] differ from the domain's own numbers [N, ...] by more than arithmetic does.

    Each number has its own tolerance, so that no outlier hides other differences: a part of its distance from the median,
    at least of the median distance; but not more than that part of its magnitude, or of the lower quartile of magnitudes
    where it lies nearer to zero. An equal number never differs; NaN does.
    """
    if not len(own):
        return np.zeros(own.shape, bool)
    with np.errstate(invalid="ignore"):  # inf - inf
        magnitude, distance = np.abs(own), np.abs(own - np.median(own, axis=0))
        scale = np.maximum(distance, np.median(distance, axis=0))
        scale = np.minimum(scale, np.maximum(magnitude, np.quantile(magnitude, 0.25, axis=0)))
        tolerance = _SAME * np.maximum(scale, 1e-6) + _ROUNDING * magnitude
        return ~((claims == own) | (np.isfinite(claims) & (np.abs(claims - own) <= tolerance)))


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
    path, ranges = Path(source), abilities.of_domain(domain).objective_ranges
    check_source(path)
    if (path / run_files.ARCHIVE_HEADER).is_file():
        content = _of_run(path, ranges is not None)
    elif npy := _qdax_files(path):
        content = _of_qdax(path, npy)
    elif checkpoint := checkpoints_of_openevolve.find(path):
        sources, scores = checkpoints_of_openevolve.read(checkpoint)
        content = ImportedSolutions(str(checkpoint), sources, scores, None)
    else:
        content = _of_table(path, ranges is not None)
    if len(content.solutions) == 0:
        raise UserError(f"{source} holds no solutions; is every row of it empty?")
    return _with_own(_fit_to_domain(content, domain), domain)


def _with_own(content: ImportedSolutions, domain: Domain) -> ImportedSolutions:
    """Adds the own hypervolumes of several objectives. Raises UserError where the domain has another number of them."""
    if content.objective.ndim == 1:
        return content
    count, ranges = content.objective.shape[1], abilities.of_domain(domain).objective_ranges
    if len(ranges or (0,)) != count:
        raise UserError(
            f"{content.source} claims {count} objectives of each solution, and {_name(domain)} has {len(ranges or (0,))}",
            "type the domain that they come from (domain=...), or correct its objective_range",
        )
    from qd import programs  # with JAX, which a look at a source needs not

    own = programs.with_one_objective(domain, Evaluation(content.objective, {})).objective
    return replace(content, own=np.asarray(own, float))


def check_source(path: Path) -> None:
    """Raises UserError where a path is nothing that solutions are read from; says what it is.

    Args:
        path: as of ``load``.
    """
    is_table = path.suffix.lower() in tables.READERS and path.is_file()
    is_folder = (path / run_files.ARCHIVE_HEADER).is_file() or _qdax_files(path) or checkpoints_of_openevolve.find(path)
    if not is_table and not is_folder:
        raise UserError(
            f"{path} {_kind(path)}",
            f"name the folder of a run, a table ({', '.join(tables.READERS)}) with columns solution_0, solution_1, ... and "
            "objective (of several objective_0, objective_1, ...), a folder that QDax saved, or a checkpoint of openevolve",
        )


def _kind(path: Path) -> str:
    """Says what a path is that holds no solutions in a form that is read."""
    if not path.exists():
        return "does not exist"
    if path.is_dir():
        return "is a folder without archive.json or genotypes.npy"
    start = read_files.data(path, "name another file")[:8]
    sign = next((words for mark, words in _SIGNS.items() if start.startswith(mark)), None)
    return f"is of a kind that is not read ({path.suffix or 'no ending'}{f': it looks like {sign}' if sign else ''})"


def _of_run(path: Path, several: bool) -> ImportedSolutions:
    links.check(path)
    columns = archive_file.load(path).columns
    oldest_first = np.argsort(columns["id"], kind="stable")
    goals = OBJECTIVES if several and OBJECTIVES in columns else "objective"
    solutions, objective, measures = (columns[name][oldest_first] for name in ("solution", goals, "measures"))
    return ImportedSolutions(str(path), solutions, objective.astype(float), measures.astype(float))


def _of_table(path: Path, several: bool) -> ImportedSolutions:
    columns = tables.READERS[path.suffix.lower()](path)
    objective = _claims(path, columns, several)
    solutions = columns.get("solution")
    if solutions is None:
        solutions = tables.block(columns, "solution")
    if solutions is None:
        raise UserError(
            f"{path} has no columns solution_0, solution_1, ... (as pyribs and qd export name them), nor one called "
            f"solution; it has {', '.join(list(columns)[:10])}"
        )
    measures = tables.block(columns, "measures")
    unreadable = False
    if measures is not None and measures.dtype == object:
        measures = tables.parse_printed(measures)
        unreadable = measures is None
    return replace(_without_empty(str(path), solutions, objective, measures), unreadable=unreadable)


def _claims(path: Path, columns: tables.Columns, several: bool) -> np.ndarray:
    """The objectives of a table: [N], or [N, K] of a domain with several, in columns as qd export or as others name them."""
    for name in (OBJECTIVES, "objective") if several else ():
        claims = tables.block(columns, name)
        if claims is not None and claims.ndim == 2:
            return tables.numbers(path, {name: claims}, name, width=claims.shape[1])
    if "objective" in columns:
        return tables.numbers(path, columns, "objective")
    there = ", ".join(list(columns)[:10])
    if "objective_0" in columns:
        raise UserError(f"{path} has several objectives, and the domain one", "type a domain of several: domain=...")
    raise UserError(f"{path} has no column objective; it has {there}")


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
    if objective.ndim == 3 and all(column.shape[:2] == objective.shape[:2] for column in arrays.values()):  # fronts of MOME
        solutions, objective, measures = (column.reshape(-1, *column.shape[2:]) for column in (solutions, objective, measures))
    objective = _flat(objective)
    if len({len(column) for column in arrays.values()}) != 1 or objective.shape[1] < 1 or solutions.ndim < 2:
        shapes = ", ".join(f"{name} {list(column.shape)}" for name, column in arrays.items())
        raise UserError(
            f"{path} is no map of QDax: it holds {shapes}; solutions must be [cells, D], of fronts [cells, rows, D]"
        )
    objective = objective[:, 0] if objective.shape[1] == 1 else objective
    return _without_empty(str(path), solutions, objective.astype(float), measures.astype(float))


def _npy(file: Path) -> np.ndarray:
    column = read_files.npy(file, "save it again with numpy.save")
    if column.dtype.kind not in "biuf" or column.ndim < 1:
        raise UserError(f"{file} holds {column.dtype} {list(column.shape)}; numbers are wanted, one row a cell")
    return column


def _without_empty(source: str, solutions: Array, objective: np.ndarray, measures: np.ndarray | None) -> ImportedSolutions:
    """Leaves out empty cells: an objective is -inf or NaN, or inf beside a solution that is not finite."""
    finite = np.ones(len(objective), bool)
    if solutions.dtype != object:
        finite = np.asarray(np.isfinite(_flat(solutions)).all(axis=1))
    there = (np.isfinite(_flat(objective)) | (np.isposinf(_flat(objective)) & finite[:, None])).all(axis=1)
    if not np.all(finite[there]):
        row = int(np.flatnonzero(there & ~finite)[0])
        raise UserError(f"row {row + 1} of {source} has an objective, but its solution is not finite", "correct or remove it")
    claims = None if measures is None else _flat(measures)[there]
    return ImportedSolutions(source, solutions[there], objective[there], claims, int((~there).sum()))


def _flat(column: np.ndarray) -> np.ndarray:
    """Returns a column [N, ...] as [N, K]."""
    return column.reshape(len(column), int(np.prod(column.shape[1:])))


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
        cut = "; an array that was printed with ... is cut short" if "..." in str(solutions[0]) else ""
        raise UserError(
            f"the solutions of {content.source} are {theirs}, e.g. {str(solutions[0])[:40]!r}, but {_name(domain)} samples "
            f"{ours}{cut}",
            "type domain=...",
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
    return replace(content, solutions=own)


def _name(part: Any) -> str:
    return type(part).__name__
