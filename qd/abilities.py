"""Optional abilities of components: what each may have beyond its protocol in qd.types, and what is assumed where it lacks one.

    abilities.of_domain(domain).objective_range      # (low, high), or None where the domain states none

A component inherits nothing: whatever object has an attribute of that name has the ability. This is the one place where
attributes that a component need not have are looked up; B batch, T triplets.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol, cast

from qd.types import (
    Archive,
    Array,
    Describe,
    Descriptor,
    Domain,
    Emitter,
    Features,
    Memory,
    Params,
    Rendering,
    Rows,
)


class DomainAbilities(Protocol):
    """Beyond ``pure``, ``sample`` and ``evaluate``."""

    objective_range: tuple[float, float] | None = None  # (low, high), the scale of the QD score; None: not stated
    objective_ranges: tuple[tuple[float, float], ...] | None = None  # (low, high) of each of K objectives; None: there is one
    objective_names: tuple[str, ...] | None = None  # what each of K objectives is, for pages
    axis_titles: Mapping[str, Sequence[str]] = MappingProxyType({})  # feature -> a title for each of its columns, for pages
    keep: tuple[str, ...] = ()  # features that every run stores, whatever its descriptor reads
    held_out: Domain | None = None  # evaluates the same solutions on data that no search uses: a finished run is judged by it
    held_out_most: int | None = None  # elites that the twin evaluates, drawn evenly; None: all
    held_out_tolerance: float | None = None  # share by which the twin's objective may differ and still confirm an elite's
    dispatcher: Any = None  # the workers that evaluate it: qd.remote.dispatch.Dispatcher; None: it is evaluated in this process
    external: bool = False  # another program evaluates it, by `qd ask` and `qd tell`
    render: Callable[[Array], Sequence[Rendering]] | None = None  # [B, ...] -> B pictures of solutions
    reasons: Callable[[Array], Sequence[str]] | None = None  # [B, ...] -> why each failed; "" where it did not
    advice: Callable[[], tuple[str, str]] | None = None  # (what is wrong with all so far, what to type); ("", "") for nothing
    film: Callable[[Array], Sequence[Rendering]] | None = None  # [B, ...] -> B moving pictures
    layout: Sequence[tuple[str, tuple[int, ...]]] | None = None  # name and shape of each part of a solution, in order
    policy: Callable[[Any], Callable[[Array], Array]] | None = None  # one solution -> (observation -> action)

    @staticmethod
    def faults() -> Iterable[tuple[str, str, str]]:
        """What the domain itself has to report to `qd doctor`: (name, what is wrong, what to type)."""
        return ()


class DescriptorAbilities(Protocol):
    """Beyond ``pure``, ``reads``, ``bounds``, ``init``, ``fit`` and ``__call__``."""

    plain: bool = False  # its call does the same to NumPy's arrays: on the host it is called as it stands, without JAX
    learns: bool | None = None  # does it depend on data? None: not stated, so that neither is relied on
    fewest: int = 0  # solutions that its first fit needs, as far as it knows beforehand
    questions_per_fit: tuple[int, ...] = ()  # how many questions each fit asks a judge
    signals: Callable[[Params, Features], Features] | None = None  # -> name -> [B], e.g. an autoencoder's "surprise"
    agreement: Callable[[Params], tuple[int, int]] | None = None  # (agreeing, all) clear answers of its judge


class ArchiveAbilities(Protocol):
    """Of an archive's settings, beyond ``open``."""

    dims: tuple[int, ...] | None = None  # cells of each measure; None: it has no such axes
    learning_rate: float | None = None  # CMA-MAE's alpha; None: 1
    threshold_min: float | None = None  # objectives at or below it are not accepted; None: all are
    fixed_descriptors_only: bool = False  # a descriptor that learns would break it
    keep: tuple[str, ...] = ()  # features that it stores, whatever the descriptor reads
    prepare: Callable[[Any], object] | None = None  # given the bounds, does what takes long before the first ``open``


class OpenedAbilities(Protocol):
    """Of an opened pyribs archive."""

    cells: int | None = None  # None: it has none, only a capacity
    dims: Sequence[int] | None = None  # of a grid
    centroids: Array | None = None  # [cells, M] of a CVT
    front_size: int = 1  # slots of the store in each cell
    own_scores: Callable[[], dict[str, float]] | None = None  # in place of those of one elite a cell
    score_of: Callable[[Array, Array], float] | None = None  # cells [N], objectives [N, K] -> the QD score that they would have
    gives: tuple[str, ...] = ("value",)  # what its add returns of each row, besides the status; rankers need some of it


class EmitterAbilities(Protocol):
    """Beyond ``pure``, ``init``, ``ask`` and ``tell``."""

    batch_size: int = 0  # rows of every ask; 0: it varies. A pure emitter in a pool must state it
    gradients: bool = False  # may it ask for gradients?
    hosted: str = ""  # the class of another library that it hosts
    steady: Callable[[int], Emitter | None] | None = (
        None  # rows -> the emitter with asks of so many, if it may ask before a tell
    )
    needs: tuple[str, ...] = ()  # signals of the descriptor that it chooses by
    features: tuple[
        str, ...
    ] = ()  # that its tell is handed and no archive stores, e.g. the steps of an episode; host loop only

    @staticmethod
    def check(key: Array, solutions: Array, archive: Any) -> None:
        """Raises UserError where it cannot vary such solutions, or work with such an opened archive.

        Args:
            key: uint32 [2].
            solutions: [2, ...] of the initial ones.
            archive: an empty one, opened for the search.
        """

    @staticmethod
    def redescribe(memory: Memory, describe: Describe) -> Memory:
        """Returns its memory after a refit, described again.

        Args:
            memory: before the refit.
            describe: features -> measures, by what the descriptor has learned.
        """
        return memory

    @staticmethod
    def recall(memory: Memory) -> Rows | None:
        """Returns solutions that it remembers and that a descriptor may learn from."""
        return None


class JudgeAbilities(Protocol):
    """Of a judge of similarity, beyond ``__call__``."""

    keep: tuple[str, ...] = ()  # features that the search must keep for it
    raters: Callable[[Rows, Rows, Rows], Array] | None = None  # x, a, b -> [T] rater, numbered from 0; None: one


class GradeAbilities(Protocol):
    """Of a judge that grades, beyond ``__call__``."""

    axes: Sequence[Sequence[str]] = ()  # (question, low end, ..., high end) of each axis of measures


class ServiceAbilities(Protocol):
    """Of a component that others share, as a language model's client."""

    report: Callable[[], Sequence[dict[str, Any]]] | None = None  # what it did and what that cost, a row for each role
    warning: str = ""  # what the reader of a run must know, e.g. that a toy answered; shown at its start and end

    @staticmethod
    def close() -> None:
        """Lets go of what it holds, at the end of a run."""


def of_domain(domain: Domain) -> DomainAbilities:
    """Returns the optional abilities of a domain, with defaults for those that it lacks."""
    return cast(DomainAbilities, _CompletedDomain(domain))


def of_descriptor(descriptor: Descriptor) -> DescriptorAbilities:
    """Returns the optional abilities of a descriptor, with defaults for those that it lacks."""
    return cast(DescriptorAbilities, _complete(descriptor, DescriptorAbilities))


def of_archive(settings: Archive) -> ArchiveAbilities:
    """Returns the optional abilities of an archive's settings, with defaults for those that it lacks."""
    return cast(ArchiveAbilities, _complete(settings, ArchiveAbilities))


def of_opened(archive: Any) -> OpenedAbilities:
    """Returns the optional abilities of an opened archive, with defaults for those that it lacks."""
    return cast(OpenedAbilities, _complete(archive, OpenedAbilities))


def of_emitter(emitter: Emitter) -> EmitterAbilities:
    """Returns the optional abilities of an emitter, with defaults for those that it lacks."""
    return cast(EmitterAbilities, _complete(emitter, EmitterAbilities))


def of_judge(judge: Any) -> JudgeAbilities:
    """Returns the optional abilities of a judge of similarity, with defaults for those that it lacks."""
    return cast(JudgeAbilities, _complete(judge, JudgeAbilities))


def of_grade(grade: Any) -> GradeAbilities:
    """Returns the optional abilities of a judge that grades, with defaults for those that it lacks."""
    return cast(GradeAbilities, _complete(grade, GradeAbilities))


def of_service(component: Any) -> ServiceAbilities:
    """Returns the optional abilities of a shared component, with defaults for those that it lacks."""
    return cast(ServiceAbilities, _complete(component, ServiceAbilities))


def lacking(component: Any, names: Iterable[str]) -> list[str]:
    """Returns the names of attributes that a component must have and lacks.

    Args:
        component: any object.
        names: of the attributes that it must have.
    """
    return [name for name in names if not hasattr(component, name)]


def _complete(component: Any, defaults: type) -> SimpleNamespace:
    """Reads a component's abilities, with the default of every one that it lacks."""
    names = [name for name in vars(defaults) if not name.startswith("_")]
    return SimpleNamespace(**{name: getattr(component, name, getattr(defaults, name)) for name in names})


class _CompletedDomain:
    """A domain; its abilities are read one by one, for a held-out twin may load data.

    One of several objectives has (0, 1) as the range of the objective that is made of them.
    """

    def __init__(self, component: Domain) -> None:
        self._component = component

    def __getattr__(self, ability: str) -> Any:
        return getattr(self._component, ability, getattr(DomainAbilities, ability))

    @property
    def objective_range(self) -> Any:
        return self._stated if self.objective_ranges is None else (0.0, 1.0)

    @property
    def objective_ranges(self) -> Any:
        stated = self._stated
        several = isinstance(stated, Sequence) and len(stated) > 1 and all(isinstance(pair, Sequence) for pair in stated)
        return tuple(tuple(pair) for pair in stated) if several else None

    @property
    def _stated(self) -> Any:
        stated: Any = getattr(self._component, "objective_range", None)
        alone = isinstance(stated, Sequence) and len(stated) == 1 and isinstance(stated[0], Sequence)
        return tuple(stated[0]) if alone else stated
