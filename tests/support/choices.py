"""All choices of conf, composed small."""

import pickle
from functools import cache
from typing import Any

import pytest

from qd.config.compose import assemble, load
from qd.support.conf import conf
from qd.types import Search

TEXTS = ("text", "opinions", "stories", "stories_genre", "stories_ending", "poetry")


def choices(group: str) -> list[str]:
    return sorted(file.stem for file in (conf() / group).glob("*.yaml"))


def quick_archives(*names: str) -> list:
    """All archives; tests on others than those named are slow only since they are so many."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in choices("archive")]


@cache
def composed(*overrides: str) -> Search:
    return assemble(load(list(overrides))).search


def copied(part: Any) -> Any:
    """A part as it comes back from storage. One that holds a client for a language model is not copied, and says so."""
    if "LM(" in repr(part):
        with pytest.raises(TypeError, match="a language-model client is not copied"):
            pickle.dumps(part)
        return part
    return pickle.loads(pickle.dumps(part))


LMX = tuple(name for name in choices("emitter") if name.startswith("lmx_"))  # for domains of texts
