"""Answers in JSON: whether a text fits a schema. Of JSON Schema what endpoints enforce: type, enum, required, bounds, items."""

import json
from typing import Any

from qd.support.errors import UserError

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),),
}  # fmt: skip


def check(schema: Any) -> None:
    """Raises ValueError where this is no schema that answers can be held against."""
    known = isinstance(schema, dict) and schema.get("type", "null") in _KINDS
    if not known or not isinstance(schema.get("properties", {}), dict):
        raise UserError(f"{schema!r:.80} is no JSON schema; its type is one of {', '.join(_KINDS)}, e.g. {{'type': 'integer'}}")
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        check(inner)


def fault(text: str, schema: dict[str, Any]) -> str:
    """Says what is wrong with a text; "" for nothing."""
    try:
        value = read(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON ({error})"
    return _fault(value, schema, "it")


def read(text: str) -> Any:
    """Returns the value of a text that is JSON, also between fences of Markdown. Raises ValueError."""
    inner = text.strip()
    if inner.startswith("```"):
        inner = inner.partition("\n")[2].rpartition("```")[0]
    return json.loads(inner, parse_constant=_no_number)


def instruction(schema: dict[str, Any]) -> str:
    """Tells a model of the schema in words, where the endpoint cannot enforce it."""
    return f"Answer with one JSON value and nothing else. It must fit this JSON schema: {json.dumps(schema, sort_keys=True)}"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema as endpoints want it: no further keys, all required."""
    if schema.get("type") == "object":
        inner = {name: strict(each) for name, each in schema.get("properties", {}).items()}
        return {"required": list(inner)} | schema | {"properties": inner, "additionalProperties": False}
    return schema | {"items": strict(schema["items"])} if "items" in schema else schema


def _fault(value: Any, schema: dict[str, Any], where: str) -> str:
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))
    ):
        return f"{where} is no {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {schema['enum']}"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{where} is not between {schema.get('minimum')} and {schema.get('maximum')}"
    if isinstance(value, list) and "items" in schema:
        return next((said for i, each in enumerate(value) if (said := _fault(each, schema["items"], f"{where}[{i}]"))), "")
    if isinstance(value, dict):
        lacks = [name for name in schema.get("required", ()) if name not in value]
        if lacks:
            return f"{where} lacks {', '.join(lacks)}"
        inner = schema.get("properties", {})
        return next((said for name in inner if name in value and (said := _fault(value[name], inner[name], name))), "")
    return ""


def _no_number(text: str) -> Any:
    raise UserError(f"{text} is no JSON")
