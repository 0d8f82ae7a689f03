"""Molecules: all of them are some, by RDKit's own check, and their numbers are RDKit's."""

import numpy as np
import pytest

from domains.molecules import SYMBOLS, Molecules
from qd import keys
from tests.support.choices import want_packages_of

DOMAIN = Molecules(length=20)


@pytest.fixture(autouse=True)
def _packages():
    want_packages_of("domain/molecules")


def test_every_string_is_a_molecule():
    Chem = pytest.importorskip("rdkit.Chem", reason="needs the extra 'molecules'")
    x = DOMAIN.sample(keys.new(0), 200)
    evaluation = DOMAIN.evaluate(None, x)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in DOMAIN.smiles(x)]
    assert all(molecule is not None for molecule in molecules)
    atoms = np.array([molecule.GetNumAtoms() for molecule in molecules])
    np.testing.assert_array_equal(np.isfinite(evaluation.objective), atoms > 0)
    assert (atoms > 0).mean() > 0.98 and np.nanmax(evaluation.objective) <= 1


def test_numbers_of_a_known_molecule():
    benzene = ["[C]", "[=C]", "[C]", "[=C]", "[C]", "[=C]", "[Ring1]", "[=Branch1]"]
    x = np.array([[SYMBOLS.index(symbol) for symbol in benzene] + [0] * 12, [0] * 20])
    assert DOMAIN.smiles(x) == ["C1=CC=CC=C1", ""]
    evaluation = DOMAIN.evaluate(None, x)
    weight, logp = evaluation.features["properties"][0]
    assert weight == pytest.approx(78.11, abs=0.01) and logp == pytest.approx(1.69, abs=0.01)
    assert evaluation.features["counts"][0].tolist() == [1, 0] and np.isnan(evaluation.objective[1])
    assert Molecules("logp", 20).evaluate(None, x).objective[0] == pytest.approx(logp)
    first, second = DOMAIN.render(x)
    assert "<title>C1=CC=CC=C1</title>" in first.data and second.data.startswith("<svg")
    with pytest.raises(ValueError, match=r"domain\.objective"):
        Molecules("taste")
