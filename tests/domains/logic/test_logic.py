"""Recipes of ABC: what it makes is proved equal, what it prints is read, what cannot be is refused."""

import shutil
import time

import numpy as np
import pytest

from domains.logic import abc, tables
from domains.logic.domain import Recipes
from qd import keys, remote
from qd.support.errors import UserError

abc_there = pytest.mark.skipif(
    shutil.which("berkeley-abc") is None and shutil.which("abc") is None,
    reason="needs berkeley-abc: apt-get install berkeley-abc",
)


@pytest.fixture(scope="module")
def domain():
    return Recipes("random5.2", length=4)


def value(blif: str, inputs: tuple[int, ...]) -> list[int]:
    """What a BLIF of tables says."""
    outputs = []
    for part in blif.split(".names ")[1:]:
        _, *rows = part.split("\n")
        bits = "".join(map(str, inputs))
        outputs.append(int(any(row == f"{bits} 1" for row in rows)))
    return outputs


def test_circuits_made_here_compute_what_they_say():
    assert value(tables.blif("sorter4"), (0, 1, 1, 0)) == [1, 1, 0, 0]
    assert value(tables.blif("count3"), (1, 1, 0)) == [0, 1]
    assert value(tables.blif("square3"), (1, 0, 1)) == [1, 0, 1, 1, 0]  # 25, without its second bit
    assert tables.blif("random6.3") == tables.blif("random6.3") and tables.blif("random6.3").count(".names") == 3


@abc_there
def test_recipes_are_proved_equal_and_the_same_alone_and_together(domain):
    x = domain.sample(keys.new(0), 6)
    together = domain.evaluate(None, x)
    alone = [abc.run(abc.circuit("random5.2"), [recipe], "aig", 60)[0] for recipe in domain.recipes(x)]
    np.testing.assert_array_equal(together.features["area"], [result.area for result in alone])
    area, depth = together.features["cost"].T
    reference = domain.reference
    np.testing.assert_allclose(together.objective, -(area * depth) / (reference.area * reference.depth), rtol=1e-6)
    assert domain.reasons(x) == [""] * 6 and (area > 0).all()
    nothing = domain.evaluate(None, np.zeros((1, 4), np.float32)).features
    assert nothing["area"][0] > reference.area and nothing["commands"][0] == 0


@abc_there
def test_one_bad_command_fails_alone():
    results = abc.run(abc.circuit("random5.2"), [("balance",), ("balanze",), ("rewrite",)], "aig", 60)
    assert [result.reason for result in results] == ["", "ABC has no command 'balanze'", ""]
    assert np.isnan(results[1].area) and results[2].area > 0


def test_what_abc_prints_counts_only_with_the_proof():
    told = "Networks are NOT EQUIVALENT.\n and =  3 lev = 2\n"
    assert abc._judge(told, abc._AIG, "").reason.startswith("not proved equal")
    assert abc._judge("and =  3 lev =12\nNetworks are equivalent.", abc._AIG, "") == abc.Result(3, 12, "")


@abc_there
def test_too_long_a_recipe_fails():
    (result,) = abc.run(abc.circuit("random8"), [("dc2",) * 200], "aig", 0.05)
    assert "within 0.05 s" in result.reason


@abc_there
@pytest.mark.parametrize("mapping", abc.MAPPINGS)
def test_mapped_circuits_are_counted(mapping):
    result = abc.run(abc.circuit("count4"), [abc.RESYN2], mapping, 60)[0]
    assert result.reason == "" and result.area > 0 and result.depth > 0


@abc_there
def test_constant_outputs_and_wires_are_mapped_to_gates(tmp_path):
    verilog = "module own(a, b, y, z, w);\ninput a, b;\noutput y, z, w;\nassign y = a & ~a;\nassign z = b;\n"
    (tmp_path / "own.v").write_text(verilog + "assign w = a & ~a;\nendmodule\n")
    results = [abc.run(abc.circuit(name), [abc.RESYN2], "gates", 60)[0] for name in (str(tmp_path / "own.v"), "random2")]
    assert [result.reason for result in results] == ["", ""] and all(result.depth >= 0 for result in results)
    with pytest.raises(UserError, match="no gates, so there is nothing to minimise"):
        _ = Recipes(str(tmp_path / "own.v")).reference


@abc_there
def test_files_of_ones_own(tmp_path):
    (tmp_path / "own.blif").write_text(tables.blif("count4"))
    assert Recipes(str(tmp_path / "own.blif")).reference == Recipes("count4").reference
    verilog = "module own(a, b, c, y);\ninput a, b, c;\noutput y;\nassign y = (a & b) | (a & c);\nendmodule\n"
    (tmp_path / "own.v").write_text(verilog)
    assert Recipes(str(tmp_path / "own.v")).reference[:2] == (2, 2)


@abc_there
@pytest.mark.slow
def test_workers_find_the_same(domain):
    x = np.asarray(domain.sample(keys.new(1), 8))
    with remote.Pool(domain, workers=2, chunk=2) as pool:
        np.testing.assert_array_equal(
            pool.evaluate(keys.split(keys.new(0), 8), x).objective, domain.evaluate(None, x).objective
        )


@abc_there
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"circuit": "adder"}, "neither made here nor a file.*type random8"),
        ({"circuit": "random30"}, "30 inputs; type 2 to 10"),
        ({"circuit": "none.blif"}, "cannot be read: No such file"),
        ({"circuit": "bad.blif"}, "no circuit that ABC can read"),
        ({"circuit": "open.blif"}, r"nets that nothing drives \(1\); give each net a gate"),
        ({"circuit": "latch.blif"}, "1 latches; give a combinational circuit"),
        ({"commands": ("balanze",)}, "ABC has no command 'balanze'"),
        ({"commands": ("balance > file",)}, "no command of a recipe"),
        ({"mapping": "chips"}, "unknown mapping 'chips'"),
        ({"length": 0}, "make no recipes"),
    ],
)
def test_what_cannot_be(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.blif").write_text("hello\n")
    (tmp_path / "open.blif").write_text(".model t\n.inputs a\n.outputs y\n.names a z y\n11 1\n.end\n")
    (tmp_path / "latch.blif").write_text(".model m\n.inputs a\n.outputs y\n.latch a y 0\n.end\n")
    began = time.process_time()
    with pytest.raises(ValueError, match=message):
        Recipes(**settings)
    assert time.process_time() - began < 0.5


def test_a_machine_without_abc_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="berkeley-abc is not installed; type apt-get install berkeley-abc"):
        Recipes()
