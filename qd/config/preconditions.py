"""What a component refuses before it is built and JAX is imported: ``check(settings)`` in a file preconditions.py.

It lies in the package that the component is named in, or beside its module.
The file imports nothing that is slow. Only files of this distribution are asked.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from qd.config.declared import source_file

_OURS = Path(__file__).resolve().parents[2]


def check(components: Mapping[str, Any]) -> None:
    """Asks the preconditions of each component that has some.

    Args:
        components: role -> plain node, None where none is chosen.

    Raises:
        UserError: a setting cannot be.
    """
    for node in components.values():
        target = str(node.get("_target_", "")) if isinstance(node, Mapping) else ""
        module = target.rpartition(".")[0]
        for package in (module, module.rpartition(".")[0]):
            file = source_file(f"{package}.preconditions") if "." in package else None
            if file is not None and _OURS in file.resolve().parents:
                import_module(f"{package}.preconditions").check(node)
                break
