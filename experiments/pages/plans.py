"""``PAGE.yaml`` beside this file: which numbers of the kept tables a page has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
Fields = dict[str, Any]


def pages() -> list[str]:
    """Returns the names of the pages that have numbers of tables."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def path_of(name: str) -> Path:
    """Returns the file of a page; ``guides.clusters`` is in a folder of docs."""
    return ROOT / "README.md" if name == "README" else ROOT / "docs" / f"{name.replace('.', '/')}.md"


def read(name: str) -> tuple[Fields, Fields, Fields]:
    """Returns a page's defaults, numbers and tables.

    Args:
        name: of the page.
    """
    plan = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    defaults, numbers, tables = (plan.get(part) or {} for part in ("defaults", "numbers", "tables"))
    return defaults, numbers, tables


def cells(table: Fields, defaults: Fields) -> Iterator[list[tuple[str, Fields]]]:
    """Yields the rows of a table, each a list of words with references and the fields that fill them.

    Args:
        table: as in the yaml.
        defaults: of the page.
    """
    for row in table["rows"]:
        fields = defaults | table.get("defaults", {}) | row
        yield [(str(cell), fields) for cell in table["columns"].values()]


def words_of(name: str) -> Iterator[tuple[str, Fields]]:
    """Yields all words with references of a page, and the fields that fill them.

    Args:
        name: of the page.
    """
    defaults, numbers, tables = read(name)
    for words in numbers.values():
        yield words, defaults
    for table in tables.values():
        for row in cells(table, defaults) if "rows" in table else ():
            yield from row
