"""What the measures of a stored archive are called: on figures and pages, in tables, in conditions of `qd query`.

The words of a run come first (``axis_labels=``), then those of its domain (``axis_titles``), then those of conf; without
words a measure has the name of the feature that it selects, or its number.
"""

from collections.abc import Mapping
from typing import Any

from qd.config import plugins
from qd.support.moved import current


def names(about: Mapping[str, Any]) -> list[str]:
    """Names the measures by their titles or ends, by the feature that they select, or by their number.

    Args:
        about: archive.json.

    Returns:
        [M] names.
    """
    words, measures = labels(about), len(about["bounds"])
    if words and all(len(each) == 1 for each in words):
        return [title for (title,) in words]
    if words and all(len(each) == 3 for each in words):
        return [f"{low} to {high}" for _, low, high in words]
    descriptor = about.get("config", {}).get("descriptor", {})
    feature, columns = descriptor.get("feature"), descriptor.get("columns")
    if feature is None:
        return [f"measure {i + 1}" for i in range(measures)]
    if measures == 1 and not columns:
        return [plain_text(feature)]
    return [plain_text(f"{feature}[{column}]") for column in columns or range(measures)]


def labels(about: Mapping[str, Any]) -> list[list[str]] | None:
    """Returns the words for each measure: a title, or a title and its ends or a name for each cell; None where it has none.

    Args:
        about: archive.json.
    """
    config = about.get("config", {})
    descriptor = config.get("descriptor", {})
    feature, domain = descriptor.get("feature"), current(str(config.get("domain", {}).get("_target_")))
    sources = config.get("axis_labels"), about.get("axis_titles"), plugins.axis_titles().get(domain)
    words = next((source[feature] for source in sources if source and source.get(feature)), ())
    words = [[each] if isinstance(each, str) else each for each in words]  # a plain name is a title
    if not words or any(len(each) in (0, 2) for each in words):
        return None
    chosen = [words[column] for column in descriptor.get("columns") or range(len(words)) if column < len(words)]
    return [[plain_text(word) for word in each] for each in chosen] if len(chosen) == len(about["bounds"]) else None


def plain_text(text: Any) -> str:
    """Returns what a folder calls something, as a text in which matplotlib reads no mathematics."""
    return str(text).replace("$", r"\$") if str(text).count("$") > 1 else str(text)
