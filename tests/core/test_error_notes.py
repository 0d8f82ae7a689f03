"""Notes below a traceback: the innermost component is named, once; blocks around it add their words."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from qd.support.error_notes import in_generation, naming_component


@dataclass(frozen=True)
class Inner:
    def work(self) -> None:
        raise KeyError(7)


@dataclass(frozen=True)
class Outer:
    inner: Inner

    def ask(self) -> None:
        self.inner.work()


def a_check_of(component: object) -> None:
    raise ValueError(component)


INNER = Inner()
SEARCH = SimpleNamespace(domain=INNER, descriptor=object(), archive=object(), emitter=Outer(INNER))


def notes(search, call, error=KeyError) -> list[str]:
    ids = range(0)
    with (
        pytest.raises(error) as raised,
        naming_component(search, lambda: "; saved"),
        naming_component(search, lambda: in_generation(3, ids)),
    ):
        ids = range(300, 400)
        call()
    return getattr(raised.value, "__notes__", [])


def test_the_innermost_component_is_named_with_the_words_of_all_blocks():
    assert notes(SEARCH, SEARCH.emitter.ask) == ["qd: domain Inner raised KeyError in generation 3 (rows 300..399); saved"]
    foreign = SimpleNamespace(**vars(SEARCH) | {"domain": object()})
    assert notes(foreign, SEARCH.emitter.ask) == ["qd: emitter Outer raised KeyError in generation 3 (rows 300..399); saved"]


def test_what_no_component_raises_has_no_note():
    assert notes(SEARCH, lambda: a_check_of(INNER), ValueError) == []
    assert notes(SEARCH, lambda: {}[1]) == []


def test_without_solutions_no_rows_are_named():
    assert in_generation(0) == " in generation 0"
