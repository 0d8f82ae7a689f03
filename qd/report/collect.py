"""Runs that differ only in their seed are one method; methods that search one domain are one case."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from qd.store import identity
from qd.store.runs import Run, recipes
from qd.support.errors import UserError


class Method(NamedTuple):
    case: str  # what was searched: NAME of the folder of runs
    name: str
    runs: list[Run]

    @property
    def seeds(self) -> list[int]:
        """Of its runs, in their order."""
        return [run.config["seed"] for run in self.runs]


def shared_folder(runs: list[Run]) -> Path:
    """The folder that all runs lie in. Raises UserError where that is the root of the disk."""
    shared = Path(os.path.commonpath([run.folder.parent.absolute() for run in runs]))
    if shared == Path(shared.anchor):
        raise UserError("these runs share no folder", "say where the tables belong: qd compare ... --out FOLDER")
    here = Path.cwd()
    return shared.relative_to(here) if shared.is_relative_to(here) else shared


def cases(runs: list[Run], notes: list[str]) -> dict[str, list[Method]]:
    """Groups runs into methods, and methods into cases.

    Args:
        runs: finished ones.
        notes: sentences about what differs without being compared are added.

    Returns:
        Name of a case -> its methods, each with its runs in order of their seeds.

    Raises:
        UserError: a method has a seed twice.
    """
    names = _names_of_cases(runs)
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run, recipe in zip(runs, recipes(runs), strict=True):
        groups.setdefault((names[_domain(run)], run.config["name"], recipe), []).append(run)
    several = {case for case in names.values() if len({name for each, name, _ in groups if each == case}) > 1}
    first: dict[tuple[str, str], tuple[Run, str]] = {}
    methods: dict[str, list[Method]] = {}
    for (case, folder, recipe), runs_of_method in groups.items():
        name = f"{folder}/{runs_of_method[0].label}" if case in several else runs_of_method[0].label
        like, earlier = first.setdefault((case, name), (runs_of_method[0], recipe))
        if earlier != recipe:  # the same words, another config: defaults have changed in between
            name += f" #{recipe[:4]}"
            notes.append(f"{name} is another recipe than {like.folder}: {'; '.join(like.differences(runs_of_method[0]))}")
        _check_seeds(name, runs_of_method, notes)
        in_order = sorted(runs_of_method, key=lambda run: run.config["seed"])
        methods.setdefault(case, []).append(Method(case, name, in_order))
    for case, methods_of_case in methods.items():
        _note_archives(case, methods_of_case, notes)
    return methods


def _domain(run: Run) -> str:
    """What is the same in runs of one domain: its class and its name; of runs that store no domain, their name."""
    node = run.config.get("domain")
    return str(node["_target_"]) if isinstance(node, dict) and "_target_" in node else str(run.config["name"])


def _names_of_cases(runs: list[Run]) -> dict[str, str]:
    """Returns domain -> the name of its case: that of its runs, all joined where they have several."""
    names: dict[str, list[str]] = {}
    for run in runs:
        names.setdefault(_domain(run), []).append(str(run.config["name"]))
    joined = {domain: ", ".join(dict.fromkeys(each)) for domain, each in names.items()}
    twice = {name for name in joined.values() if list(joined.values()).count(name) > 1}
    return {domain: f"{name} ({domain.rpartition('.')[2]})" if name in twice else name for domain, name in joined.items()}


def _check_seeds(name: str, runs: list[Run], notes: list[str]) -> None:
    folders: dict[int, Path] = {}
    for run in runs:
        seed = run.config["seed"]
        if seed in folders:
            raise UserError(f"seed {seed} of {name} is there twice: {folders[seed]} and {run.folder}", "compare one of them")
        folders[seed] = run.folder
        modules = identity.changed_modules(runs[0].sources, run.sources)
        if modules:
            notes.append(f"the code of {', '.join(modules)} was another in {run.folder} than in {runs[0].folder}")


def _note_archives(case: str, methods: list[Method], notes: list[str]) -> None:
    """Notes where coverage and QD score are numbers of different maps."""
    nodes = {str(_archive(method.runs[0])): method.name for method in methods}
    if len(nodes) > 1:
        notes.append(
            f"the archives of {case} differ ({', '.join(nodes.values())}): their coverage and QD score count different cells; "
            "compare the numbers of a ground-truth archive (referee=truth) instead"
        )


def _archive(run: Run) -> Any:
    return run.config.get("archive")


def budget(case: str, methods: list[Method], notes: list[str]) -> int:
    """Returns the evaluations at which methods are compared: all that the smallest budget allows.

    Args:
        case: named in the note.
        methods: of the case.
        notes: a sentence is added where budgets differ.
    """
    budgets = [run.config["budget"] for method in methods for run in method.runs]
    if len(set(budgets)) > 1:
        counts = ", ".join(f"{each:,} ({budgets.count(each)} runs)" for each in sorted(set(budgets)))
        notes.append(f"{case} has runs of different budgets: {counts} evaluations; all are compared at {min(budgets):,}")
    return min(budgets)
