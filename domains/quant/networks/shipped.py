"""Files of arrays that are shipped with a checksum."""

import hashlib
from pathlib import Path

import numpy as np

from qd.support.errors import UserError


def arrays(file: Path, checksum: str, again: str, module: str) -> dict[str, np.ndarray]:
    """Returns all arrays of a file.

    Args:
        file: ends in .npz.
        checksum: the SHA-256 that it must have, in hexadecimal.
        again: the command that makes it again.
        module: the Python file in which the checksum stands.

    Raises:
        UserError: it is missing, or has another checksum.
    """
    if not file.is_file():
        raise UserError(f"{file} is not there", f"restore the file, or type {again}")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != checksum:
        raise UserError(
            f"{file.name} has the checksum {digest[:16]}... and not {checksum[:16]}...: it was changed or cut off",
            f"restore the file, or make it again ({again}) and write its checksum into {module}",
        )
    with np.load(file, allow_pickle=False) as found:
        return dict(found)
