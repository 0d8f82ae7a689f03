"""Files of JSON lines that only grow: a line cut off by a kill is left out when read, and ended before the next one."""

import json
import os
from pathlib import Path
from typing import Any

from qd.support import links


def append(path: Path, records: list[dict[str, Any]]) -> None:
    """Appends a line for each record.

    Args:
        path: the file; it and its folders are made where there are none.
        records: each becomes a JSON object.

    Raises:
        TypeError: a record holds what JSON cannot; none of them is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(links.open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, 2)
            if file.read() != b"\n":
                file.write(b"\n")
        file.write("".join(json.dumps(record) + "\n" for record in records).encode())


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a file, without lines that are damaged; none where there is no file."""
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else ():
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
