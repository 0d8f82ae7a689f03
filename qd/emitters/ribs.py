"""Any pyribs emitter, hosted: its object is the memory, and tell passes it every row of its batch.

CMA-ME (Fontaine et al. 2020) is EvolutionStrategyEmitter with ranker "2imp"; CMA-MAE (Fontaine and Nikolaidis 2023)
is ranker "imp" with selection rule "mu", restart rule "basic" and an archive with thresholds.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import ribs.emitters

from qd import abilities, archives, keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Batch, Elites, Offspring

_OWN_ARGUMENTS = ("archive", "seed", "x0")  # set by us, not by the settings
_RANKED = ("EvolutionStrategyEmitter", "GradientArborescenceEmitter")
_INDIFFERENT = ("GaussianEmitter", "IsoLineEmitter")  # to what becomes of their solutions
_GRADIENT = ("GradientArborescenceEmitter", "GradientOperatorEmitter")
_RANKERS = {  # the columns that each ranks by and that only some archives give
    **dict.fromkeys(("imp", "2imp"), ("value",)),
    **dict.fromkeys(("obj", "2obj", "rd", "2rd"), ()),
    "nov": ("novelty",),
    "density": ("density",),
    **dict.fromkeys(("nslc", "nslc_classic"), ("novelty", "local_competition")),
}
_CHOICES = {
    "ranker": tuple(_RANKERS),
    "es": ("cma_es", "sep_cma_es", "lm_ma_es", "openai_es", "pycma_es"),
    "selection_rule": ("filter", "mu"),
    "restart_rule": ("no_improvement", "basic"),
}


class RibsMemory(NamedTuple):
    emitters: tuple[Any, ...]  # the pyribs objects
    sizes: tuple[int, ...]  # rows of each in the last batch
    gradients: bool = False  # next is the first half of a gradient emitter; its two halves are two generations


@dataclass(frozen=True)
class Ribs:
    """``count`` emitters of one pyribs class, each with its own seed.

    x0 is where they start: one number for every gene, one for each, or None for an elite drawn for each emitter.

    >>> from qd.emitters import Ribs
    >>> cma_me = Ribs("EvolutionStrategyEmitter", {"ranker": "2imp", "sigma0": 0.5, "batch_size": 36}, count=15)
    >>> cma_me.gradients
    False
    """

    emitter: str  # a class of ribs.emitters
    settings: Mapping[str, Any] | tuple[tuple[str, Any], ...]  # its keyword arguments; stored as a tuple
    count: int = 1  # emitters
    x0: float | tuple[float, ...] | None = None  # where they start: one number, one per gene; None: an elite for each
    pure: bool = False  # the fused driver compiles an emitter that is

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", _frozen(self.settings))
        if self.count < 1:
            raise UserError(f"count {self.count} makes no emitters", "type a count of 1 or more")
        emitters = [name for name in ribs.emitters.__all__ if name.endswith("Emitter")]
        if self.emitter not in emitters:
            raise unknown("emitter", self.emitter, emitters, "of pyribs")
        settings = [name for name in inspect.signature(self._class).parameters if name not in _OWN_ARGUMENTS]
        for name, value in dict(self.settings).items():
            if name not in settings:
                raise unknown("setting", name, settings, f"of {self.emitter}")
            if name == "batch_size" and value is not None and value < 1:
                raise UserError(f"batch_size {value} makes no solutions", "type a batch_size of 1 or more")
            if isinstance(value, str) and name in _CHOICES and value not in _CHOICES[name]:
                raise unknown(name, value, _CHOICES[name])

    def check(self, key: Array, solutions: Array, archive: Any) -> None:
        """Opens one emitter on the archive.

        Args:
            key: of its seed.
            solutions: [N, D] of the domain.
            archive: the open archive.

        Raises:
            UserError: pyribs refuses the settings, the solutions or the archive.
        """
        if solutions.dtype.kind != "f":
            what = "Python objects" if solutions.dtype == object else f"{solutions.dtype}"
            raise UserError(
                f"{self.emitter} of pyribs varies arrays of real numbers, but this domain's solutions are {what}; "
                "choose an emitter of the domain's own, or emitter=vary with a variation that takes them"
            )
        if self.emitter in _RANKED and solutions.ndim != 2:
            raise UserError(
                f"{self.emitter} of pyribs takes vectors, but a solution has shape {list(solutions.shape[1:])}",
                "let the domain take flat ones, or type emitter=isoline",
            )
        self._check_ranker(archive)
        self._open(archive, self._start(solutions[0]), key)

    def init(self, key: Array, elites: Elites) -> RibsMemory:
        """Opens the emitters.

        Args:
            key: of their starts and seeds.
            elites: of the initial population; their archive is the one that the emitters draw from.

        Returns:
            The pyribs objects.

        Raises:
            UserError: pyribs refuses the settings on this archive.
        """
        archive = elites.archive  # type: ignore[attr-defined]
        draw_key, seed_key = keys.split(key)
        (starts,) = elites.draw(draw_key, self.count, "solution")
        seeds = keys.split(seed_key, self.count)
        emitters = (self._open(archive, self._start(x), seed) for x, seed in zip(starts, seeds, strict=True))
        return RibsMemory(tuple(emitters), (0,) * self.count, self.gradients)

    def ask(self, key: Array, memory: RibsMemory, elites: Elites) -> tuple[RibsMemory, Offspring]:
        """Asks each emitter, for solutions to take gradients of where it is their turn.

        Args:
            key: not used: each emitter has its own seed.
            memory: changed in place, as pyribs does.
            elites: not used.

        Returns:
            The memory, and the solutions of all, in order.
        """
        batches = [np.asarray(e.ask_dqd() if memory.gradients else e.ask()) for e in memory.emitters]
        solutions = batches[0] if len(batches) == 1 else np.concatenate(batches)
        sizes = tuple(len(each) for each in batches)
        return memory._replace(sizes=sizes), Offspring(solutions, gradients=memory.gradients)

    def tell(self, memory: RibsMemory, batch: Batch) -> RibsMemory:
        """Tells each emitter its own rows, failed ones as the worst.

        Args:
            memory: changed in place, as pyribs does.
            batch: the solutions of ``ask``, evaluated; with a jacobian [B, 1+M, D] in generations of gradients.

        Returns:
            The memory of the next generation.
        """
        data, add_info = _tell_arguments(batch, abilities.of_opened(memory.emitters[0].archive).gives)
        if memory.gradients:
            jacobian = np.asarray(batch.jacobian)
            data["jacobian"] = np.where((batch.status[:, None, None] < 0) | ~np.isfinite(jacobian), 0, jacobian)
        start = 0
        for emitter, size in zip(memory.emitters, memory.sizes, strict=True):
            rows = slice(start, start + size)
            columns = {name: column[rows] for name, column in data.items()}
            tell = emitter.tell_dqd if memory.gradients else emitter.tell
            tell(**columns, add_info={name: column[rows] for name, column in add_info.items()})
            start += size
        return memory._replace(gradients=self.gradients and not memory.gradients)

    def redescribe(self, memory: RibsMemory, describe: Any) -> RibsMemory:
        """Takes gradients again: those before a refit are of the old measures; arguments as in ``EmitterAbilities``.

        Returns:
            The memory; the next generation takes gradients.
        """
        return memory._replace(gradients=self.gradients)

    @property
    def gradients(self) -> bool:
        """Whether it asks for gradients, in every other generation (DQD, Fontaine and Nikolaidis 2021)."""
        return self.emitter in _GRADIENT

    @property
    def hosted(self) -> str:
        """The class of pyribs."""
        return self.emitter

    def steady(self, rows: int) -> "Ribs | None":
        """Returns itself where pyribs' emitter ignores `tell`, so that `ask` may come before it; its batch size stays."""
        return self if self.emitter in _INDIFFERENT else None

    @property
    def _class(self) -> Any:
        return getattr(ribs.emitters, self.emitter)

    def _check_ranker(self, archive: Any) -> None:
        """Some rankers need columns that only some archives give; pyribs raises only at the first tell."""
        ranker = dict(self.settings).get("ranker", "2imp" if self.emitter in _RANKED else None)
        gives = abilities.of_opened(archive).gives
        missing = [need for need in _RANKERS.get(ranker, ()) if need not in gives] if isinstance(ranker, str) else []
        if missing:
            kind = type(archive).__name__.removeprefix("Open")
            rankers = [name for name, needs in _RANKERS.items() if set(needs) <= {*gives}]
            raise UserError(
                f"ranker {ranker!r} of {self.emitter} ranks by {missing[0]!r}, but a {kind} archive gives only "
                f"{', '.join(gives) or 'a status'}",
                f"type one that it supports: ranker={', '.join(rankers)}"
                + (", or archive=fronts_hv" if archives.has_fronts(archive) else ""),
            )

    def _start(self, elite: np.ndarray) -> np.ndarray:
        if self.x0 is None:
            return elite
        if np.ndim(self.x0) and np.shape(self.x0) != elite.shape:
            raise UserError(
                f"x0 has {len(self.x0)} numbers, but a solution has shape {list(elite.shape)}; "  # type: ignore[arg-type]
                "type one number for every gene, or one for each"
            )
        return np.broadcast_to(np.asarray(self.x0, elite.dtype), elite.shape)

    def _open(self, archive: Any, x0: np.ndarray, seed: np.ndarray) -> Any:
        settings = {name: _plain(value) for name, value in dict(self.settings).items()}
        if "x0" in inspect.signature(self._class).parameters and "initial_solutions" not in settings:
            settings["x0"] = x0
        try:
            return self._class(archive, **settings, seed=int(seed.view(np.uint64)[0]))
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"pyribs refuses {self.emitter}({_show(dict(self.settings))}): {error}") from error


def _tell_arguments(batch: Batch, gives: tuple[str, ...]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The batch as pyribs expects it: failed rows finite, status 0, worse than the worst of the rest.

    Not dropped, which would misalign the evolution strategy; not status -1, which pyribs counts as a parent.
    """
    data = {"solution": batch.solutions, "objective": batch.evaluation.objective, "measures": batch.measures}
    add_info = {"status": batch.status} | ({"value": batch.value} if "value" in gives else {}) | batch.info
    is_failed = batch.status < 0
    if not is_failed.any():
        return data, add_info
    data["measures"] = np.where(
        is_failed[:, None], _first_finite(batch.measures[~is_failed], batch.measures.shape[1]), data["measures"]
    )
    data["objective"] = _below(data["objective"], is_failed)
    add_info["status"] = np.maximum(batch.status, 0)
    for name in add_info.keys() - {"status"}:
        sign = -1 if name == "density" else 1  # the one column in which less is better
        add_info[name] = sign * _below(sign * add_info[name], is_failed)
    return data, add_info


def _below(column: np.ndarray, is_failed: np.ndarray) -> np.ndarray:
    rest = column[~is_failed]
    worst = rest.min() if len(rest) else np.zeros((), column.dtype)
    lowest = np.finfo(column.dtype).min  # stays finite, or pyribs raises
    return np.where(is_failed, np.maximum(worst - 1 - np.abs(worst), lowest), column)


def _first_finite(rest: np.ndarray, n_measures: int) -> np.ndarray:
    return rest[0] if len(rest) else np.zeros(n_measures, rest.dtype)


def _frozen(value: Any) -> Any:
    """Makes settings hashable: a part must hash, print and store."""
    if isinstance(value, Mapping):
        return tuple((name, _frozen(value[name])) for name in sorted(value))
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """pyribs wants dicts where we hold hashable pairs."""
    return dict(value) if isinstance(value, tuple) and value and all(_is_pair(pair) for pair in value) else value


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _show(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())
