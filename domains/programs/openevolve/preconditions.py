"""What is refused of a project of openevolve before the domain is built: files that it lacks, markers, its config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domains.programs.openevolve.project import Project


def check(settings: Mapping[str, Any]) -> None:
    """Reads the project.

    Args:
        settings: of the domain, or of the emitter, which has no project.

    Raises:
        UserError: the folder is no project.
    """
    project, config = settings.get("project"), settings.get("config", "config.yaml")
    if isinstance(project, str) and isinstance(config, str) and Path(project).is_dir():  # else its kind is refused elsewhere
        Project(project, config)
