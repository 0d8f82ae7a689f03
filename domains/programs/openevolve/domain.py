"""The domain and the emitter that a project's own config asks for."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from domains.programs import Programs
from domains.programs.coder import Coder
from domains.programs.emitters.evolve import Evolve
from domains.programs.emitters.operators import Diff, RewriteCode
from domains.programs.openevolve.project import Project
from domains.programs.sandbox.limits import Sandbox
from qd.support.conf import ExistingFolder
from qd.support.errors import UserError


def programs(
    project: ExistingFolder,
    coder: Coder,
    sandbox: Sandbox,
    config: str = "config.yaml",
    bounds: Mapping[str, Any] | None = None,
    views: Mapping[str, Any] | None = None,
    parallel: int | None = None,
    folder: str | None = None,
    longest: int = 0,
) -> Programs:
    """Returns the programs of a project, and prints which of its settings change nothing here.

    Args:
        project: its folder.
        coder: client and prompts.
        sandbox: where evaluator and programs run.
        config: name of its config.
        bounds: feature dimension -> (low, high), where 0 to 1 does not fit.
        views: more features, functions of the sources.
        parallel: programs that run at the same time; None: as its config says.
        folder: of the run.
        longest: tokens of a reply; 0: as its config says.

    Raises:
        UserError: the folder is no project.
    """
    if not project:
        raise UserError("domain=openevolve needs the folder of a project", "type domain.project=FOLDER")
    problem = Project(project, config, dict(bounds or {}))
    llm = problem.settings["llm"]
    coder = replace(coder, temperature=float(llm["temperature"]), longest=longest or int(llm["max_tokens"]))
    count = int(problem.settings["evaluator"]["parallel_evaluations"]) if parallel is None else parallel
    for line in _not_honoured(problem):
        print(line, file=sys.stderr)
    settings = {"views": views or {}, "parallel": count, "folder": folder, "titles": problem.dimensions}
    return Programs(problem, coder, sandbox, problem.axes, **settings)


def _not_honoured(problem: Project) -> Iterator[str]:
    """Yields a line for settings of a config that are typed here instead, and one for those that nothing stands for."""
    ignored, where = problem.not_honoured, f"{problem.folder}/{problem.config}"
    if typed := ", ".join(f"{name} ({ours})" for name, ours in ignored.items() if ours):
        yield f"qd: settings of {where} that are typed here instead: {typed}"
    groups: dict[str, list[str]] = {}
    for name in (name for name, ours in ignored.items() if not ours):
        group, _, key = name.rpartition(".")
        groups.setdefault(group, []).append(key)
    if others := "; ".join(f"{group}: {', '.join(keys)}" if group else ", ".join(keys) for group, keys in groups.items()):
        yield f"qd: settings of {where} that change nothing here: {others}"


def emitter(domain: Programs, batch_size: int | None = None, islands: int | None = None) -> Evolve:
    """Returns the loop that a project's config asks for: diffs or rewrites, on islands.

    Args:
        domain: of a project.
        batch_size: programs of a generation; None: as many as openevolve has in the works with that config.
        islands: another number of them; None: the project's.

    Raises:
        UserError: the domain is of no project.
    """
    problem = getattr(domain, "problem", None)
    if not isinstance(problem, Project):
        raise UserError("emitter=code_openevolve reads the config of a project", "type domain=openevolve, or emitter=code_mix")
    database = problem.settings["database"]
    operators = (Diff(), RewriteCode()) if problem.settings["diff_based_evolution"] else (RewriteCode(),)
    interval, rate = int(database["migration_interval"]), float(database["migration_rate"])
    count = int(database["num_islands"]) if islands is None else islands
    return Evolve(domain, operators[:1], (), problem.in_flight if batch_size is None else batch_size, count, interval, rate)
