"""Where the choices lie: conf in a checkout, qd/conf in an installed wheel; and kinds of settings that must be on the disk."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qd.support.errors import UserError

ExistingFile = str  # a missing one is refused before the component is imported: qd.config.declared reads these two names
ExistingFolder = str  # in a component's source


@cache
def conf() -> Path:
    """Returns the folder of our choices. Raises ValueError where it is missing."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise UserError(f"no conf in {package} or beside it", "install qd-atlas again")


def table(file: Path) -> dict[str, Any]:
    """Returns what a yaml of a conf holds; nothing where there is no such file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C where it is built: a tenth of the time
    return (yaml.load(file.read_text(encoding="utf-8"), loader) or {}) if file.is_file() else {}
