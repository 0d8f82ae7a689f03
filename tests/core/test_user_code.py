"""A fault in a component of the user's own is named with its file and line, before anything is evaluated where it can be."""

import importlib
import linecache
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from qd import checks, keys, signatures
from qd.archives import Grid
from qd.cli.main import _show_own_lines
from qd.emitters import IsoLine, Vary
from qd.support import error_notes
from qd.support.errors import UserError
from qd.types import Domain, Search

SOURCE = """
from dataclasses import dataclass
import jax.numpy as jnp
from qd.keys import uniform
from qd.types import Evaluation

@dataclass(frozen=True)
class Mine:
    pure: bool = PURE
    def sample(self, key, n):
        return uniform(key, (n, 3), -1, 1)
    def evaluate(self, keys, solutions):
        end = solutions[:, :2]
        return Evaluation(-(solutions**2).mean(1), {"end": end})
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Returns a domain of a module in the working directory, with some text of it replaced."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def build(pure: bool = True, **replaced: str):
        source = SOURCE.replace("PURE", str(pure))
        for before, after in replaced.items():
            source = source.replace({"evaluate": "self, keys, solutions", "sample": "self, key, n"}.get(before, before), after)
        Path("a_module_of_mine.py").write_text(source)
        sys.modules.pop("a_module_of_mine", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return importlib.import_module("a_module_of_mine").Mine()

    yield build
    sys.modules.pop("a_module_of_mine", None)


@pytest.mark.parametrize(
    "replaced, message",
    [
        (
            {"evaluate": "self, solutions"},
            "Mine.evaluate (a_module_of_mine.py:12) has the arguments (solutions) and is called with (keys, solutions); "
            "type def evaluate(self, keys, solutions):",
        ),
        (
            {"evaluate": "self, solutions, keys"},
            "Mine.evaluate (a_module_of_mine.py:12) has the arguments (solutions, keys) and is called with (keys, solutions); "
            "type def evaluate(self, keys, solutions):",
        ),
        (
            {"evaluate": "self, keys, solutions, wind"},
            "Mine.evaluate (a_module_of_mine.py:12) has the arguments (keys, solutions, wind) and is called with "
            "(keys, solutions); type def evaluate(self, keys, solutions):",
        ),
        (
            {"sample": "self, key"},
            "Mine.sample (a_module_of_mine.py:10) has the arguments (key) and is called with (key, n); "
            "type def sample(self, key, n):",
        ),
    ],
)
def test_other_arguments_are_refused_before_a_call(mine, replaced, message):
    with pytest.raises(UserError) as raised:
        signatures.check_calls(mine(**replaced), Domain)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "evaluate", ["self, keys, solutions", "self, k, x", "self, k, x, wind=1", "self, *rest", "self, keys, /, solutions"]
)
def test_arguments_that_fit_are_taken(mine, evaluate):
    assert signatures.check_calls(mine(evaluate=evaluate), Domain) is None


@pytest.mark.parametrize(
    "solutions, gave",
    [
        (np.zeros(8), "an array of shape [8]"),
        (np.zeros((3, 100)), "an array of shape [3, 100]"),
        (np.zeros((101, 3)), "an array of shape [101, 3]"),
        (np.float32(1), "a float32"),
        (None, "None"),
        ("text", "a str"),
    ],
)
def test_a_sample_of_another_number_of_solutions_is_refused(mine, solutions, gave):
    with pytest.raises(UserError) as raised:
        checks.sampled(mine(), solutions, 100)
    assert str(raised.value) == (
        f"Mine.sample(key, 100) (a_module_of_mine.py:10) gave {gave}; "
        "return n solutions: an array [n, ...], or a list of n objects"
    )


def test_a_pure_domain_samples_an_array(mine):
    with pytest.raises(UserError, match=r"gave a list; return one array, \[n, \.\.\.\]: jnp.stack"):
        checks.sampled(mine(), [np.zeros(3)] * 5, 5)
    assert checks.sampled(mine(pure=False), ["a"] * 5, 5) is None and checks.sampled(mine(), np.zeros((5, 3)), 5) is None


def rehearse(domain) -> None:
    select = importlib.import_module("feedback.descriptors.select").Select("end", ((-1.0, 1.0),) * 2)
    search = Search(domain, select, Grid(dims=(5, 5)), Vary(IsoLine(), batch_size=4))
    checks.rehearse(search, keys.new(0), np.asarray(domain.sample(keys.new(1), 4)))


@pytest.mark.parametrize("pure", [True, False])
def test_features_that_are_an_array_are_named_as_such(mine, pure):
    with pytest.raises(UserError) as raised:
        rehearse(mine(pure, **{'{"end": end}': "end"}))
    assert str(raised.value) == (
        "Mine.evaluate (a_module_of_mine.py:12) gave features as an array of shape [2, 2]; give a dict, {'name': [2, ...]}"
    )


def test_what_fails_without_a_trace_too_is_not_blamed_on_jax(mine):
    with pytest.raises(TypeError, match="contracting dimensions"):
        rehearse(mine(**{"end = solutions[:, :2]": "end = solutions @ jnp.ones((5, 2))"}))
    with pytest.raises(UserError) as raised:
        rehearse(mine(**{"end = solutions[:, :2]": "end = solutions[:, :2] * float(solutions.sum())"}))
    text = "a_module_of_mine.py:13, in evaluate: end = solutions[:, :2] * float(solutions.sum())"
    assert "JAX cannot trace it" in str(raised.value) and text in str(raised.value)


def test_an_error_in_own_code_is_shown_by_its_lines(mine, capsys):
    domain = mine(**{"end = solutions[:, :2]": "end = {}['wind']"})
    with pytest.raises(KeyError) as raised:
        domain.evaluate(None, jnp.zeros((2, 3)))
    raised.value.add_note("qd: what is saved")
    raised.value.add_note("a note of JAX")
    trace = raised.tb.tb_next  # without the line of this test
    _show_own_lines(KeyError, raised.value, trace)
    assert capsys.readouterr().err.splitlines() == [
        "a_module_of_mine.py:13, in evaluate: end = {}['wind']",
        "KeyError: 'wind'",
        "(QD_TRACEBACK=1 before the command: the whole traceback)",
        "qd: what is saved",
    ]


def test_an_error_of_ours_keeps_its_traceback(capsys):
    error = ValueError("ours")
    _show_own_lines(ValueError, error, None)
    assert capsys.readouterr().err.splitlines() == ["ValueError: ours"] and error_notes.lines(None) == []
