"""Airfoils: the networks agree with their package, shapes are what they say, and XFoil's answers are read."""

import numpy as np
import pytest

from domains.airfoils import Airfoils, networks, shape, xfoil
from qd import held_out, keys, programs
from qd.archives import Grid
from qd.emitters.vary import IsoLine, Vary
from qd.search import start
from qd.types import Search
from tests.support.choices import want_packages_of
from tests.support.searches import advance

WING = Airfoils(networks="xxsmall")


@pytest.fixture(autouse=True)
def _package():
    want_packages_of("domain/airfoils")


def naca(thickness: float) -> np.ndarray:
    """Weights of a symmetric section: all of one number make a thickness in proportion to it."""
    return np.array([[thickness] * 8 + [-thickness] * 8 + [0, 0.0]], np.float32)


@pytest.mark.ci
def test_networks_agree_with_the_package():
    neuralfoil = pytest.importorskip("neuralfoil", reason="needs the extra 'airfoils'")
    weights, angle = (np.asarray(part) for part in WING.decode(WING.sample(keys.new(0), 40)))
    ours = networks.evaluate("large", weights, angle, 1e6)
    one = {"upper_weights": weights[:, :8].T, "lower_weights": weights[:, 8:16].T}
    one |= {"leading_edge_weight": weights[:, 16], "TE_thickness": weights[:, 17]}
    theirs = neuralfoil.get_aero_from_kulfan_parameters(one, alpha=angle, Re=1e6, model_size="large")
    for name, column in (("analysis_confidence", ours.confidence), ("CL", ours.lift), ("CD", ours.drag)):
        np.testing.assert_allclose(column, theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.ci
def test_a_shape_upside_down_lifts_downwards():
    weights, angle = (np.asarray(part) for part in WING.decode(WING.sample(keys.new(1), 8)))
    turned = np.concatenate([-weights[:, 8:16], -weights[:, :8], -weights[:, 16:17], weights[:, 17:]], axis=1)
    up, down = (networks.evaluate("xxsmall", w, a, 1e6) for w, a in ((weights, angle), (turned, -angle)))
    np.testing.assert_allclose(up.lift, -down.lift, atol=1e-5)
    np.testing.assert_allclose(up.drag, down.drag, rtol=1e-5)


def test_camber_and_thickness_of_known_shapes():
    upper, lower = shape.surfaces(naca(0.2), shape.STATIONS)
    camber, thickness = shape.camber_and_thickness(upper, lower)
    x = shape.STATIONS
    assert camber[0] == pytest.approx(0, abs=1e-5)
    assert thickness[0] == pytest.approx(100 * 0.4 * (np.sqrt(x) * (1 - x)).max(), rel=1e-4)
    assert shape.svg(np.asarray(upper)[0], np.asarray(lower)[0], 5.0).startswith("<svg")


def test_what_crosses_or_is_unknown_has_failed():
    x = np.concatenate([WING.sample(keys.new(0), 200), np.full((1, 18), 4.0, np.float32)])
    evaluation = programs.evaluate(WING, ("shape", "confidence", "forces"), keys.new(0), x)
    valid = np.isfinite(evaluation.objective)
    assert 0.5 < valid.mean() < 1 and not valid[-1]
    assert (evaluation.features["confidence"][valid] >= 0.9).all() and (evaluation.features["shape"][valid, 1] >= 4).all()
    lift, drag = evaluation.features["forces"][valid].T
    np.testing.assert_allclose(evaluation.objective[valid], lift / drag * 1e4, rtol=1e-4)
    with pytest.raises(ValueError, match="type"):
        Airfoils(reynolds=1.0)


def test_what_xfoil_prints_is_read():
    step = (
        "   5   rms: 0.7317E-0{}   max: -.8390E-03\n       a =  2.169      CL =  0.5720\n      Cm = -0.0691     CD =  0.00698\n"
    )
    assert xfoil.read(step.format(2) + step.format(5)) == (0.572, 0.00698)
    assert np.isnan(xfoil.read(step.format(2))).all() and np.isnan(xfoil.read("")).all()
    assert np.isnan(xfoil.read(step.format(5) + " VISCAL:  Convergence failed\n")).all()


@pytest.mark.ci
@pytest.mark.skipif(not xfoil.is_installed(), reason="needs the program xfoil: apt install xfoil")
def test_xfoil_confirms_a_usual_airfoil():
    x = np.zeros((1, 18), np.float32)
    theirs = WING.held_out.evaluate(None, x).objective[0]
    assert theirs == pytest.approx(float(Airfoils().evaluate(None, x).objective[0]), rel=0.1)


def test_the_share_that_is_confirmed_is_of_the_elites_that_were_drawn(monkeypatch):
    monkeypatch.setattr("domains.airfoils.is_installed", lambda: True)
    monkeypatch.setattr(
        xfoil.XFoil, "_forces", lambda self, upper, lower, angle: (1.0, 0.01) if angle > 4 else (np.nan, np.nan)
    )
    few = Airfoils(networks="xxsmall", held_out_most=7)
    search = Search(few, _select(), Grid((8, 8)), Vary(IsoLine(), 16))
    state, _ = start(search, keys.new(0), few.sample(keys.new(0), 64))
    state = advance(search, state, 1)
    columns, figures = held_out.evaluate(few, state.archive, 3)
    column = columns["held_out"]
    assert len(column) == len(state.archive) > 7 and figures["evaluated_held_out"] == 7
    assert np.isfinite(column).sum() == round(figures["answered_held_out"] * 7 / 100) and "qd_score_held_out" not in figures
    assert (
        set(column[np.isfinite(column)]) <= {np.float32(100)}
        and 0 <= figures["confirmed_held_out"] <= figures["answered_held_out"]
    )


def _select():
    from feedback.descriptors.select import Select

    return Select("shape", ((-2, 12), (4, 24)))
