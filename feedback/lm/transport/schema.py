"""Answers in JSON: whether a text fits a schema."""

import json
from functools import cache
from typing import Any

from qd.support.errors import UserError


def check_schema(schema: Any) -> None:
    """Raises UserError where this is no schema that answers can be held against."""
    from jsonschema.exceptions import SchemaError

    try:
        if not isinstance(schema, dict):
            raise SchemaError("it is no object")
        _validator().check_schema(schema)
    except SchemaError as error:
        raise UserError(f"{schema!r:.80} is no JSON schema ({error.message}); one is {{'type': 'integer'}}") from error


def fault(text: str, schema: dict[str, Any]) -> str:
    """Returns what is wrong with a text, "" where nothing is.

    Args:
        text: JSON, also between fences of Markdown.
        schema: a JSON schema.
    """
    try:
        value = read(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON ({error})"
    from jsonschema.exceptions import best_match

    error = best_match(_validator()(schema).iter_errors(value))
    return f"{error.json_path}: {error.message}" if error else ""


def read(text: str) -> Any:
    """Returns the value of a text that is JSON, also between fences of Markdown. Raises ValueError."""
    inner = text.strip()
    if inner.startswith("```"):
        inner = inner.partition("\n")[2].rpartition("```")[0]
    return json.loads(inner, parse_constant=_no_number)


def instruction(schema: dict[str, Any]) -> str:
    """Returns the schema in words for the model, where the endpoint does not enforce it."""
    return f"Answer with one JSON value and nothing else. It must fit this JSON schema: {json.dumps(schema, sort_keys=True)}"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema as endpoints want it: no further keys, all required."""
    if schema.get("type") == "object":
        inner = {name: strict(each) for name, each in schema.get("properties", {}).items()}
        return {"required": list(inner)} | schema | {"properties": inner, "additionalProperties": False}
    return schema | {"items": strict(schema["items"])} if "items" in schema else schema


@cache
def _validator() -> Any:
    """Further keys do no harm: they are forbidden in the schema that is sent (``strict``), and ignored in what comes back."""
    from jsonschema import Draft202012Validator  # few calls have a schema
    from jsonschema.validators import extend

    return extend(Draft202012Validator, {"additionalProperties": lambda *_: ()})


def _no_number(text: str) -> Any:
    raise UserError(f"{text} is no JSON")
