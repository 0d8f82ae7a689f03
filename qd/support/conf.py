"""Where the choices lie: conf in a checkout, qd/conf in an installed wheel."""

from functools import cache
from pathlib import Path

from qd.support.errors import UserError


@cache
def conf() -> Path:
    """Returns the folder of our choices. Raises ValueError where it is missing."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise UserError(f"no conf in {package} or beside it", "install qd-atlas again")
