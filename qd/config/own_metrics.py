"""Builds ``metrics=``: name -> ``_target_``, a function of (state, batch) or a class with settings that is called with them."""

import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from qd.config.build import build, locate
from qd.support.errors import UserError

_FORM = "type metrics={name: {_target_: my_module.my_function}}"


def functions(nodes: Any, shared: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Returns name -> function of (state, batch).

    Args:
        nodes: of the setting ``metrics``; None: there are none.
        shared: components that nodes may refer to, e.g. "@domain".

    Raises:
        UserError: a name is no plain word, a target is unknown, or what it names cannot be called with (state, batch).
    """
    if nodes is None:
        return {}
    if not isinstance(nodes, Mapping):
        raise UserError(f"metrics={str(nodes)[:60]} names no functions", _FORM)
    return {str(name): _function(str(name), node, shared) for name, node in nodes.items() if node is not None}


def _function(name: str, node: Any, shared: Mapping[str, Any]) -> Callable[..., Any]:
    where = f"metrics.{name}"
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
        raise UserError(f"{where} is no name of a column", "use letters, digits and _")
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise UserError(f"{where}={str(node)[:60]} has no _target_", _FORM)
    target = locate(node["_target_"], where)
    if not inspect.isfunction(target):
        target = build(node, shared, where)
    elif len(node) > 1:
        raise UserError(
            f"{where}: the function {node['_target_']} takes no settings here", "make it a class with __call__(state, batch)"
        )
    if not callable(target):
        raise UserError(f"{where}: {node['_target_']} cannot be called", "name a function of (state, batch)")
    try:
        inspect.signature(target).bind(None, None)
    except TypeError as error:
        raise UserError(
            f"{where}: {node['_target_']} does not take (state, batch): {error}", "give it these two arguments"
        ) from error
    return target
