"""The domain: find expressions that predict accuracy on networks, of every cost and every kind of input.

B expressions, G genes, K networks, R sources.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.proxies import bench, structures
from domains.proxies.interpreter import BenchTables, correlations, evaluate_tables, tables
from domains.proxies.operations import UNARY
from domains.proxies.record import KINDS, SOURCES, STATISTICS, NetworkRecord
from domains.proxies.structures import Structure
from qd import keys
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Evaluation, Rendering

_LEAST = 1e-3  # CPU-seconds: what costs less costs nothing, and the map begins here


@dataclass(frozen=True)
class Proxies:
    """Expressions over statistics of layers. Solutions: [B, G] int32, genes as the structure reads them.

    An expression is summed over the sites of a config; a sum that falls with accuracy serves as well as one that rises,
    so its sign is that of its mean correlation on these networks. Objective: the mean over networks of Spearman's rank
    correlation with true accuracy, ``best`` of it over the truly best fifth and the rest over all configs, in per cent.
    NaN where it divides by zero, overflows or is the same for all configs of a network. Features, each [B]: cost
    (CPU-seconds of the sources that it needs, mean over networks, log10), kind (which of KINDS it looks at, as bits of a
    number), length (inputs and operations), whole and top (the two correlations, in per cent), sign, failure (see
    interpreter). For maps: map [B, 2] is cost and kind, form [B, 2] cost and length.
    """

    bench: str = "fashion"  # four networks; ten: of three data sets; synthetic: of none; or a file of qd study emq.bench
    structure: str = "branch"  # linear, branch, graph
    networks: tuple[str, ...] = ()  # to be good on; (): all of the bench
    best: float = 0.5  # weight of the best fifth
    share: float = 0.2  # what "fifth" is
    pure: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "networks", tuple(self.networks))  # conf gives a list
        if not 0 <= self.best <= 1 or not 0 < self.share <= 1:
            raise UserError(f"best={self.best}, share={self.share} are no shares", "type best from 0 to 1, share above 0 to 1")

    @property
    def form(self) -> Structure:
        """The structure of the expressions."""
        return structures.structure_by_name(self.structure)

    @property
    def space(self) -> tuple[int, ...]:
        """How many options each gene has, [G]."""
        return self.form.space

    @property
    def objective_range(self) -> tuple[float, float]:
        """The scale of the QD score, in per cent; a negative correlation lies below it."""
        return (0.0, 100.0)

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of the feature map: from nothing to all sources, log10 of CPU-seconds; each kind its own column."""
        return self._costs, (0.0, float(2 ** len(KINDS)))

    @property
    def records(self) -> list[NetworkRecord]:
        """The networks to be good on. Raises ValueError where the bench lacks one."""
        return list(_records(self.bench, self.networks))

    @property
    def _costs(self) -> tuple[float, float]:
        return float(np.log10(_LEAST)), float(np.log10(max(_seconds(self.bench, self.networks).sum(), 2 * _LEAST)) + 1e-3)

    def on(self, *networks: str) -> "Proxies":
        """Returns the same domain on other networks."""
        return replace(self, networks=networks)

    def sample(self, key: Array, n: int) -> Array:
        """Draws every gene by the priorities of its options; arguments as in ``Domain``.

        Returns:
            Genes, int32 [n, G].
        """
        return sample_genomes(self.form, keys.uniform(key, (n, len(self.space))))

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Scores B expressions.

        Args:
            keys: unused: nothing is random.
            solutions: genes, [B, G].

        Returns:
            Objective in per cent, NaN where an expression failed, and the features listed above.
        """
        return _program(self)(solutions)

    def judge(self, solutions: np.ndarray, networks: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Correlates expressions with accuracy on other networks, with the signs of this domain's own.

        Args:
            solutions: genes, [B, G].
            networks: K names of the bench.

        Returns:
            whole and top, in per cent, [B, K] each; NaN where an expression failed.

        Raises:
            UserError: a network is not in the bench.
        """
        program = _judge(replace(self, networks=tuple(networks)))
        signs, n = self.signs(solutions)[:, None], len(solutions)
        whole, best, _ = (np.asarray(x)[:n] for x in program(pad_to_power_of_two(solutions)))
        return {"whole": 100 * signs * whole, "top": 100 * signs * best}

    def tables(self, solutions: np.ndarray, network: str) -> np.ndarray:
        """Computes the prediction for each site and option of a network; to be summed over choices, higher is better.

        Args:
            solutions: genes, [B, G].
            network: its name in the bench; not only those of the domain.

        Returns:
            [B, S, O]; NaN where an expression broke, or a site has no such option.

        Raises:
            UserError: the network is not in the bench.
        """
        (record,) = _records(self.bench, (network,))
        network_tables = tables([record], self.share)
        values = np.asarray(evaluate_tables(network_tables, self.form.read(jnp.asarray(solutions))))[:, 0]
        values = np.where(network_tables.valid[0], values, np.nan).reshape(len(values), *record.statistics.shape[1:])
        return self.signs(solutions)[:, None, None] * values

    def signs(self, solutions: np.ndarray) -> np.ndarray:
        """1 where an expression rises with accuracy on these networks, -1 where it falls, [B]."""
        return np.asarray(self.evaluate(None, pad_to_power_of_two(solutions)).features["sign"])[: len(solutions)]

    def formulas(self, solutions: np.ndarray) -> list[str]:
        """Writes expressions as formulas; those that predict damage have a minus in front."""
        formulas = self.form.formulas(solutions)
        return [
            f"{'' if sign > 0 else '- '}sum of {words}" for sign, words in zip(self.signs(solutions), formulas, strict=True)
        ]

    def render(self, solutions: np.ndarray) -> list[Rendering]:
        """Returns the formulas of expressions [B, G] as texts."""
        return [Rendering("text", words) for words in self.formulas(solutions)]


def pad_to_power_of_two(solutions: np.ndarray) -> np.ndarray:
    """Repeats the last one up to the next power of two, at least 64: few shapes, few programs."""
    n = len(solutions)
    return np.asarray(solutions)[np.minimum(np.arange(1 << max(n - 1, 63).bit_length()), n - 1)]


def sample_genomes(form: Structure, chances: Array) -> Array:
    """Turns even draws into genes by the priorities of their options.

    Args:
        form: the structure, of G genes.
        chances: [B, G] in [0, 1).

    Returns:
        Genes, int32 [B, G].
    """
    xp = chances.__array_namespace__()
    return (chances[:, :, None] >= xp.asarray(form.cumulative_priorities)).sum(-1).astype(np.int32)


@lru_cache(maxsize=16)
def _program(domain: Proxies) -> Any:
    form, networks = domain.form, _tables(domain)
    kinds = np.array([statistic.kinds for statistic in STATISTICS], np.int32)
    needs = np.array([[source in statistic.sources for source in SOURCES] for statistic in STATISTICS])
    seconds = _seconds(domain.bench, domain.networks)

    def evaluate(solutions: Array) -> Evaluation:
        expressions = form.read(jnp.asarray(solutions))
        used = form.below(expressions, jnp.full(len(solutions), form.slots - 1))
        inputs, nodes = used[:, : form.inputs], used[:, form.inputs :]
        correlation = correlations(networks, expressions)
        sign = jnp.where(jnp.nan_to_num(correlation.whole.mean(1)) < 0, -1.0, 1.0)
        whole, top = 100 * sign * correlation.whole.mean(1), 100 * sign * correlation.best.mean(1)
        needed_sources = (inputs[:, :, None] & jnp.asarray(needs)[expressions.inputs]).any(1)  # [B, R]
        cost = jnp.log10(jnp.maximum((needed_sources * seconds).sum(1), _LEAST))
        input_kinds = jnp.where(inputs, jnp.asarray(kinds)[expressions.inputs], 0)
        places = jnp.arange(len(KINDS))
        kind = (((input_kinds[:, :, None] >> places) & 1).any(1) * 2**places).sum(1).astype(jnp.float32)
        length = inputs.sum(1) + (nodes & (expressions.nodes[:, :, 0] != UNARY.index("x"))).sum(1).astype(jnp.float32)
        features = {"cost": cost, "kind": kind, "length": length, "whole": whole, "top": top, "sign": sign}
        features |= {"failure": correlation.failure.astype(jnp.float32), "map": jnp.stack([cost, kind], 1)}
        features["form"] = jnp.stack([cost, length], 1)
        return Evaluation((1 - domain.best) * whole + domain.best * top, features)

    return jax.jit(evaluate)


@lru_cache(maxsize=16)
def _judge(domain: Proxies) -> Any:
    form, networks = domain.form, _tables(domain)
    return jax.jit(lambda solutions: tuple(correlations(networks, form.read(jnp.asarray(solutions)))))


def _tables(domain: Proxies) -> BenchTables:
    return tables(domain.records, domain.share)


def _records(bench_name: str, networks: tuple[str, ...]) -> tuple[NetworkRecord, ...]:
    records = bench.load(bench_name)
    for name in networks:
        if name not in records:
            raise unknown("network", name, records, f"of bench={bench_name}")
    return tuple(records[name] for name in networks or records)


def _seconds(bench_name: str, networks: tuple[str, ...]) -> np.ndarray:
    """CPU-seconds of each source, mean over networks, [R]."""
    return np.mean([record.seconds[: len(SOURCES)] for record in _records(bench_name, networks)], 0).astype(np.float32)
