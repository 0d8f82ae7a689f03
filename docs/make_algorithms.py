"""Writes docs/algorithms.md from docs/algorithms.yaml and conf: python docs/make_algorithms.py"""

from pathlib import Path

import yaml
from hydra import compose

from qd.config.overrides import hydra_overrides, open_hydra

DOCS = Path(__file__).parent
_GROUPS = ("domain", "descriptor", "archive", "emitter")
_HEAD = """# Algorithms

Each row runs as `qd run` with the words in its third column. Components are read from `conf`; any of them can be replaced
by one word. *Also* lists further choices that are variants of the same algorithm.

| algorithm | components | `qd run ...` | source |
|---|---|---|---|
"""


def main() -> None:
    (DOCS / "algorithms.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """Returns the page: one row an algorithm."""
    return _HEAD + "".join(f"{_row(entry)}\n" for entry in entries())


def entries() -> list[dict]:
    """Returns the algorithms as they stand in the yaml."""
    return yaml.safe_load((DOCS / "algorithms.yaml").read_text(encoding="utf-8"))


def _row(entry: dict) -> str:
    with open_hydra():
        config = compose("config", hydra_overrides(entry["run"].split()), return_hydra_config=True)
    choices = config.hydra.runtime.choices
    components = ", ".join(f"{choices[group]}" for group in _GROUPS)
    also = f"<br>also {', '.join(f'`{words}`' for words in entry['also'])}" if "also" in entry else ""
    source = f"[{entry['paper']}]({entry['url']})" if "url" in entry else entry["paper"]
    return f"| {entry['name']} | {components} | `{entry['run']}`{also} | {source} |"


if __name__ == "__main__":
    main()
