"""What is refused of a project of openevolve before the domain is built: a folder that is none, markers, its config."""

from collections.abc import Mapping
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
    if isinstance(project, str) and isinstance(config, str):
        Project(project, config)
