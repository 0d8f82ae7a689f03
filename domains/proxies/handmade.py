"""Published proxies, from the same statistics: what an evolved one has to beat. All predict damage: higher is worse.

S sites (kernels, then inputs), O options, C configs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from domains.proxies.record import SOURCES, NetworkRecord


class Prediction(NamedTuple):
    """A proxy's predictions for all configs of a network."""

    damage: np.ndarray  # [C] higher is worse
    seconds: float  # CPU-seconds that it needs


def all_of(record: NetworkRecord) -> dict[str, Prediction]:
    """Returns name -> what each predicts for all configs of a network."""
    proxies = {
        name: Prediction(_sum_table(record, table(record)), _measure_cost(record, needs))
        for name, (table, needs) in TABLES.items()
    }
    proxies["agreement on 64 images"] = Prediction(-record.agreement, float(record.seconds[-1]))
    return proxies


def _kernels(record: NetworkRecord, table: np.ndarray) -> np.ndarray:
    """The table where sites are kernels, 0 where they are inputs."""
    return np.where(np.arange(len(table))[:, None] < record.layers, table, 0.0)


def _by_curvature(record: NetworkRecord, curvature: np.ndarray) -> np.ndarray:
    """Curvature times squared change; inputs by KL on the same scale, as domains/quant does."""
    of_kernels = np.maximum(curvature, 0)[:, None] * record.of("change")[: record.layers]
    kl = record.of("kl")
    scale = np.nanmedian(of_kernels) / max(float(np.nanmedian(kl[: record.layers])), 1e-12)
    return np.concatenate([of_kernels, kl[record.layers :] * scale])


def _times_bits(name: str) -> Callable[[NetworkRecord], np.ndarray]:
    """EMQ's repository multiplies a layer's statistic by its bits; more of it is better, so damage is its negative."""
    return lambda record: -_kernels(record, record.of(name) * record.of("bits"))


_CHANGE = ("inputs", "change")
TABLES: dict[str, tuple[Callable[[NetworkRecord], np.ndarray], tuple[str, ...]]] = {
    "BParams": (_times_bits("elements"), ()),
    "mean bits": (lambda r: -r.of("bits"), ()),
    "sum of 4^-bits": (lambda r: 4.0 ** -r.of("bits"), ()),  # the variance of a rounding error, the same at all sites
    "SNIP x bits": (_times_bits("saliency"), ("inputs", "gradients")),
    "SNIP of the change": (lambda r: r.of("snip"), (*_CHANGE, "gradients")),
    "Fisher": (lambda r: r.of("fisher"), (*_CHANGE, "gradients")),
    "Synflow x bits": (_times_bits("synflow"), ("synflow",)),
    "HAWQ": (lambda r: _by_curvature(r, r.eigenvalues), (*_CHANGE, "eigenvalues", "measured")),
    "HAWQ-V2 Omega": (
        lambda r: _by_curvature(r, r.of("trace")[: r.layers, 0]),
        (*_CHANGE, "traces", "measured"),
    ),
    "trace x bits": (_times_bits("trace"), ("traces",)),
    "ZeroQ KL": (lambda r: r.of("kl"), ("measured",)),
    "measured loss": (lambda r: r.of("loss"), ("measured",)),
    "SQNR": (lambda r: 10 * np.log10(np.maximum(r.of("error"), 1e-12)), _CHANGE),
    "layer error": (lambda r: r.of("error"), _CHANGE),
}


def _sum_table(record: NetworkRecord, table: np.ndarray) -> np.ndarray:
    return table[np.arange(len(table)), record.configs].sum(1)


def _measure_cost(record: NetworkRecord, needs: tuple[str, ...]) -> float:
    return float(sum(record.seconds[(*SOURCES, "eigenvalues").index(name)] for name in needs))
