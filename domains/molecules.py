"""Molecules written in SELFIES, in which every string is one (Krenn et al. 2020), judged by RDKit's estimates.

Needs the packages selfies and rdkit (pip install 'qd-atlas[molecules]'). B molecules, L symbols.
"""

from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any, ClassVar

import numpy as np

from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

SYMBOLS = (
    "[nop]", "[C]", "[C]", "[C]", "[=C]", "[=C]", "[#C]", "[N]", "[=N]", "[#N]", "[O]", "[=O]", "[S]", "[F]", "[Cl]",
    "[C@@H1]", "[C@H1]", "[Branch1]", "[Branch1]", "[=Branch1]", "[Branch2]", "[Ring1]", "[Ring1]", "[=Ring1]", "[Ring2]",
)  # fmt: skip
_OBJECTIVES = {"qed": (0.0, 1.0), "logp": (-5.0, 10.0)}
_BITS = 256  # of a fingerprint


@dataclass(frozen=True)
class Molecules:
    """Drug-like molecules of every weight and every solubility.

    A solution is L numbers of symbols; [nop] is no symbol at all. Features: properties [B, 2], molecular weight in g/mol and
    Crippen's logP; counts [B, 2], rings, and polar surface in square ångström; fingerprint [B, 256] of Morgan at radius 2.
    Objective: QED, the estimate of drug-likeness (Bickerton et al. 2012), or logP. A molecule without an atom has failed.
    """

    objective: str = "qed"
    length: int = 32
    pure: bool = False
    shares: ClassVar[tuple[float, ...]] = (1 / len(SYMBOLS),) * len(SYMBOLS)

    def __post_init__(self) -> None:
        if self.objective not in _OBJECTIVES:
            raise unknown("domain.objective", self.objective, _OBJECTIVES)
        if not 1 <= self.length <= 500:
            raise UserError(f"length={self.length} is no length of a molecule", "type domain.length=32 (1 to 500)")

    @property
    def objective_range(self) -> tuple[float, float]:
        """The least and the largest objective."""
        return _OBJECTIVES[self.objective]

    @property
    def space(self) -> tuple[int, ...]:
        """Options of each place."""
        return (len(SYMBOLS),)

    def sample(self, key: Array, n: int) -> Array:
        """Draws symbols evenly; arguments as in ``Domain``.

        Returns:
            [n, L].
        """
        _chemistry()
        return keys.integers(key, (n, self.length), 0, len(SYMBOLS))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Computes properties of each molecule.

        Args:
            keys: unused: nothing is random.
            solutions: numbers of symbols, [B, L].

        Returns:
            QED or logP, NaN where there is no atom, and the features.
        """
        rows = [_properties(smiles) for smiles in self.smiles(solutions)]
        qed, weight, logp, rings, polar, bits = zip(*rows, strict=True)
        objective = np.array({"qed": qed, "logp": logp}[self.objective], np.float32)
        features = {
            "properties": np.array([weight, logp], np.float32).T,
            "counts": np.array([rings, polar], np.float32).T,
            "fingerprint": np.stack(bits),
        }
        return Evaluation(objective, features)

    def smiles(self, solutions: Array) -> list[str]:
        """Returns the molecules in SMILES, the usual notation; "" where there is no atom."""
        selfies, _ = _chemistry()
        return [selfies.decoder("".join(SYMBOLS[int(i)] for i in row)) for row in np.asarray(solutions)]

    def render(self, solutions: Array) -> list[Rendering]:
        """Draws structural formulas as svg."""
        return [Rendering("svg", _svg(smiles)) for smiles in self.smiles(solutions)]


@lru_cache(maxsize=1)
def _chemistry() -> tuple[Any, Any]:
    """Returns selfies and rdkit's Chem. Raises UserError where one is not installed."""
    try:
        import selfies  # pyright: ignore[reportMissingImports]
        from rdkit import Chem, RDLogger  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise UserError(
            f"domain=molecules needs {error.name}, not installed here", "type pip install 'qd-atlas[molecules]'"
        ) from error
    RDLogger.DisableLog("rdApp.*")  # pyright: ignore[reportAttributeAccessIssue]
    return selfies, Chem


@lru_cache(maxsize=4096)
def _properties(smiles: str) -> tuple[float, float, float, float, float, np.ndarray]:
    """QED, weight, logP, rings, polar surface and fingerprint; all NaN where it is no molecule."""
    from rdkit.Chem import QED, Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors  # pyright: ignore[reportMissingImports]

    molecule = _chemistry()[1].MolFromSmiles(smiles) if smiles else None
    if molecule is None:
        return np.nan, np.nan, np.nan, np.nan, np.nan, np.zeros(_BITS, np.float32)
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_BITS)
    return (
        QED.qed(molecule),
        Descriptors.MolWt(molecule),  # pyright: ignore[reportAttributeAccessIssue]
        Crippen.MolLogP(molecule),  # pyright: ignore[reportAttributeAccessIssue]
        rdMolDescriptors.CalcNumRings(molecule),
        rdMolDescriptors.CalcTPSA(molecule),
        morgan.GetFingerprintAsNumPy(molecule).astype(np.float32),
    )


def _svg(smiles: str) -> str:
    from rdkit.Chem.Draw import rdMolDraw2D  # pyright: ignore[reportMissingImports]

    molecule = _chemistry()[1].MolFromSmiles(smiles) if smiles else None
    if molecule is None:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 220 180"/>'
    drawing = rdMolDraw2D.MolDraw2DSVG(220, 180)
    drawing.DrawMolecule(molecule)
    drawing.FinishDrawing()
    svg = drawing.GetDrawingText()
    return svg[svg.index("<svg") :].replace("</svg>", f"<title>{escape(smiles)}</title></svg>")
