"""The nouns of a quality-diversity search; the whole project uses these types.

B batch, M measures, D solution dimension, N rows, P parents of one solution, T triplets.
"""

from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

Array = Any  # np.ndarray on the host, jax.Array in a trace; one code serves both
Params = Any  # what a descriptor has learned: a pytree of arrays
Memory = Any  # what an emitter remembers: a pytree of arrays where it is pure, else any picklable object
Features = dict[str, Array]  # name -> [B, ...]

FAILED, REJECTED, IMPROVED, NEW = -1, 0, 1, 2  # Batch.status
OBJECTIVES = "objectives"  # the feature that holds all K objectives of a row, where a domain has several


class Spent(Exception):
    """A component's budget, such as a language model's, is used up: the run ends cleanly and goes on once there is more."""


class Evaluation(NamedTuple):
    """The result of evaluating B solutions.

    A domain may return K objectives, [B, K], if its ``objective_range`` has K pairs (low, high). The loop makes of them the
    feature ``objectives`` [B, K] and one objective [B]: the row's own hypervolume, the product over k of
    max(0, (objective_k - low_k) / (high_k - low_k)). So ``best`` is the largest own hypervolume, and every component of one
    objective works as it is. With ``archive=fronts`` status is IMPROVED where no row of the cell, as it was before the batch,
    dominates or equals the row (NEW: the cell was empty), value is none, and the QD score is the MOQD score.
    """

    objective: Array  # [B] higher is better; NaN = failed: enters no archive, is counted and shown
    features: Features  # all that a descriptor may look at


class Rows(NamedTuple):
    """N solutions to look at or to learn from."""

    ids: Array  # [N] running number of the evaluation
    solutions: Array  # [N, ...]
    objective: Array  # [N]
    features: Features  # name -> [N, ...]
    valid: Array  # [N] False only where a compiled mirror pads


FILE_ENDINGS = {"text": "txt", "audio": "wav"}  # of renderings; other kinds are their own ending


class Rendering(NamedTuple):
    """What one solution looks like."""

    kind: Literal["svg", "png", "gif", "text", "html", "audio"]
    data: str | bytes

    @property
    def ending(self) -> str:
        """The ending of a file that holds it."""
        return FILE_ENDINGS.get(self.kind, self.kind)

    @property
    def content(self) -> bytes:
        """What a file holds of it."""
        return self.data.encode() if isinstance(self.data, str) else self.data


@runtime_checkable
class Domain(Protocol):
    """What is searched. Its optional abilities are in qd.abilities.DomainAbilities."""

    @property
    def pure(self) -> bool:
        """May evaluate be traced by jax.jit?"""
        ...

    def sample(self, key: Array, n: int) -> Array:
        """Returns fresh solutions.

        Args:
            key: a host key (uint32 [2]) or a JAX key.
            n: how many.

        Returns:
            Solutions [n, ...]; of Python objects a list or an object array.
        """
        ...

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Evaluates solutions.

        Args:
            keys: [B], one for each solution, so that chunking changes nothing; uint32 [B, 2] on the host.
            solutions: [B, ...].

        Returns:
            Objective [B], NaN where an evaluation failed, and features, name -> [B, ...].
        """
        ...


class Fresh(Protocol):
    """Samples and evaluates new solutions; they take ids and count, and enter no archive."""

    def __call__(self, key: Array, n: int) -> Rows:
        """Samples and evaluates.

        Args:
            key: a host key (uint32 [2]) or a JAX key.
            n: how many.

        Returns:
            n rows; ``valid`` where the evaluation did not fail.
        """
        ...


class Describe(Protocol):
    """A descriptor with its newest params, handed to emitters after a refit."""

    def __call__(self, features: Features) -> Array:
        """Returns measures [N, M] of stored features."""
        ...

    def signals(self, features: Features) -> Features:
        """Returns the signals of stored features, name -> [N]; empty where the descriptor gives none."""
        ...


@runtime_checkable
class Descriptor(Protocol):
    """Features -> measures; hand-made, learned or judged, one protocol. See also qd.abilities.DescriptorAbilities."""

    @property
    def pure(self) -> bool:
        """May __call__ be traced? fit is host code that may use JAX inside."""
        ...

    @property
    def reads(self) -> tuple[str, ...]:
        """The only features that it receives; they are stored with each elite."""
        ...

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs; they NEVER change."""
        ...

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Params:
        """Returns the params that describe generation 0.

        Args:
            key: uint32 [2].
            rows: the N solutions of generation 0 that did not fail.
            fresh: evaluates new solutions to learn from.

        Returns:
            The params: a pytree of arrays, () where nothing is learned.
        """
        ...

    def fit(self, key: Array, params: Params, rows: Rows, fresh: Fresh) -> Params:
        """Learns from elites, reserve and what the emitter recalls.

        Args:
            key: uint32 [2].
            params: of init or of the last fit.
            rows: the N solutions to learn from, in order of id; all are valid.
            fresh: evaluates new solutions to learn from.

        Returns:
            The new params.
        """
        ...

    def __call__(self, params: Params, features: Features) -> Array:
        """Describes solutions.

        Args:
            params: of init or fit.
            features: name -> [B, ...], those that it reads.

        Returns:
            Measures [B, M].
        """
        ...


@runtime_checkable
class Elites(Protocol):
    """A view of the archive, the same on the host and in the compiled mirror; never stored in memory."""

    @property
    def size(self) -> Array:
        """How many elites there are."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the stored features."""
        ...

    def draw(self, key: Array, n: int, *names: str) -> tuple[Array, ...]:
        """Draws elites evenly, with replacement.

        Args:
            key: a host key (uint32 [2]) or a JAX key, as the emitter received it.
            n: how many.
            names: of columns, as ``take`` knows them; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        ...

    def take(self, index: Array, *names: str) -> tuple[Array, ...]:
        """Returns columns of some elites.

        Args:
            index: [n] ranks in 0..size-1, in the order in which the cells were first filled.
            names: id, solution, objective, measures, any stored feature; on the host also cell [n], and place [n, M], where
                the elite's cell lies, in cell widths.

        Returns:
            The columns, [n, ...] each.
        """
        ...

    def draw_from_fronts(self, key: Array, n: int, crowded: bool, *names: str) -> tuple[Array, ...]:
        """Draws cells evenly, then a row of the front of each, with replacement; of ``archive=fronts`` only.

        Args:
            key: as for ``draw``.
            n: how many.
            crowded: within a front in proportion to the crowding distance, else evenly.
            names: of columns; by default id and solution.

        Returns:
            The columns, [n, ...] each.
        """
        ...

    def rows(self) -> Rows:
        """Returns all elites, padded and ``valid`` in the mirror."""
        ...


class Offspring(NamedTuple):
    """Solutions that an emitter proposes for evaluation."""

    solutions: Array  # [B, ...]
    parents: Array | None = None  # [B, P] ids, -1 where a solution has fewer
    gradients: bool = False  # a Python bool: may the batch carry a jacobian?


class Batch(NamedTuple):
    """One generation, judged; from the fused driver K of them in order: row r is of generation first + r // B."""

    first: int
    ids: Array  # [B]
    parents: Array  # [B, P] ids; P = 0 where the emitter names none
    solutions: Array  # [B, ...]
    evaluation: Evaluation
    measures: Array  # [B, M]
    signals: Features  # name -> [B]
    cell: Array  # [B] -1 none (failed, or an archive without cells)
    status: Array  # [B] -1 failed, 0 rejected, 1 improved, 2 new cell
    value: Array  # [B] NaN where failed or where the archive has none
    info: Features  # name -> [B]: what else the archive's add returns (novelty, dns, density, ...)
    jacobian: Array | None = None  # [B, 1+M, D] where the offspring requests gradients


@runtime_checkable
class Emitter(Protocol):
    """How new solutions are made. It holds settings only; all that it remembers is its memory.

    See also qd.abilities.EmitterAbilities.
    """

    @property
    def pure(self) -> bool:
        """May ask and tell be traced by the fused driver? On the host they run as they stand."""
        ...

    def init(self, key: Array, elites: Elites) -> Memory:
        """Returns its first memory.

        Args:
            key: uint32 [2].
            elites: those of generation 0.
        """
        ...

    def ask(self, key: Array, memory: Memory, elites: Elites) -> tuple[Memory, Offspring]:
        """Proposes solutions.

        Args:
            key: uint32 [2] on the host, a JAX key in a trace.
            memory: of init or of the last tell.
            elites: of the archive as it is.

        Returns:
            The memory, and the B solutions.
        """
        ...

    def tell(self, memory: Memory, batch: Batch) -> Memory:
        """Learns from the generation that it proposed.

        Args:
            memory: of the last ask.
            batch: the B solutions with their evaluations, measures and statuses.

        Returns:
            The memory.
        """
        ...


@runtime_checkable
class Variation(Protocol):
    """Makes each solution from P parents."""

    @property
    def parents(self) -> int:
        """How many parents a child has."""
        ...

    def __call__(self, key: Array, parents: Array) -> Array:
        """Varies parents.

        Args:
            key: a host key (uint32 [2]) or a JAX key.
            parents: [B, P, ...].

        Returns:
            Solutions [B, ...].
        """
        ...


@runtime_checkable
class Archive(Protocol):
    """Settings of a pyribs archive, and how to open one. See also qd.abilities.ArchiveAbilities."""

    def open(self, example: Rows, bounds: tuple[tuple[float, float], ...], keep: tuple[str, ...], seed: int) -> Any:
        """Opens an empty pyribs archive.

        Args:
            example: rows with the solutions' and features' shapes and dtypes, and the objective's dtype.
            bounds: M pairs (low, high).
            keep: names of the features to store.
            seed: of the archive's own draws.

        Returns:
            The archive.
        """
        ...


class Reserve(NamedTuple):
    """Elites that lost their cell at a refit, offered again at each later one."""

    rows: Rows
    n_dropped: int  # how many found no room in it since the start


class Search(NamedTuple):
    """The recipe."""

    domain: Domain
    descriptor: Descriptor
    archive: Archive
    emitter: Emitter
    keep: tuple[str, ...] = ()  # more features to store and to hand out
    reserve: int | None = None  # room for elites that lose their cell at a refit; None: as many as there are cells


class State(NamedTuple):
    """All that lives. It is spent by the step taken from it: to branch or keep one, store it whole."""

    key: Array  # NumPy uint32 [2]
    archive: Any  # the pyribs archive of record
    memory: Memory
    params: Params
    reserve: Reserve
    generation: int  # generations done; generation 0 is the initial population
    evaluations: int
    pending: tuple[Any, ...] = ()  # of driver=steady: offspring that are being evaluated
