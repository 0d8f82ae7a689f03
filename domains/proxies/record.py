"""Statistics of a network's layers before any config is evaluated, and the accuracies of its configs."""

from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError
from qd.support.spelling import unknown

KINDS = ("weights", "activations", "gradients", "Hessian", "measured")
W, A, G, H, M = (1 << i for i in range(len(KINDS)))  # of a statistic, what it looks at; 0: at shapes alone


class Statistic(NamedTuple):
    """Its name, what it is computed from, and the sources that must be computed for it."""

    name: str
    kinds: int
    sources: tuple[str, ...]


SOURCES = ("weights", "synflow", "inputs", "change", "gradients", "traces", "measured")  # what takes time, each once


_CHANGE = ("inputs", "change")


STATISTICS = (
    Statistic("bits", 0, ()),  # of the option
    Statistic("elements", 0, ()),  # of the tensor; of one example's, where it is an input
    Statistic("macs", 0, ()),  # of the layer, for one example
    Statistic("weight_abs", W, ("weights",)),  # mean over the layer's kernel
    Statistic("weight_square", W, ("weights",)),  # sum
    Statistic("weight_max", W, ("weights",)),
    Statistic("synflow", W, ("synflow",)),  # of the layer: Tanaka et al. 2020
    Statistic("input_abs", A, ("inputs",)),  # mean over the layer's input
    Statistic("input_square", A, ("inputs",)),  # sum, for one example
    Statistic("input_max", A, ("inputs",)),
    Statistic("change", W | A, _CHANGE),  # ||Q(x) - x||^2 of the site's own tensor; of inputs for one example
    Statistic("change_abs", W | A, _CHANGE),  # its sum of |Q(x) - x|
    Statistic("error", W | A, _CHANGE),  # change / ||x||^2
    Statistic("gradient_abs", G, ("gradients",)),  # mean |g| over the site's tensor
    Statistic("gradient_square", G, ("gradients",)),  # sum of g^2
    Statistic("saliency", W | A | G, ("inputs", "gradients")),  # sum |g x|
    Statistic("snip", W | A | G, (*_CHANGE, "gradients")),  # sum |g (Q(x) - x)|
    Statistic("fisher", W | A | G, (*_CHANGE, "gradients")),  # sum g^2 (Q(x) - x)^2
    Statistic("trace", H, ("traces",)),  # of the Hessian by the site's tensor, over its elements
    Statistic("omega", W | A | H, (*_CHANGE, "traces")),  # trace times change: HAWQ-V2
    Statistic("kl", M, ("measured",)),  # from full precision, this site alone quantized: ZeroQ
    Statistic("loss", M, ("measured",)),  # rise of the cross-entropy, the same
    Statistic("logit", M, ("measured",)),  # mean squared change of logits, the same
)


NAMES = tuple(statistic.name for statistic in STATISTICS)


class NetworkRecord(NamedTuple):
    """One network of a bench."""

    name: str
    configs: np.ndarray  # [C, S] int, indices of options
    accuracy: np.ndarray  # [C] in per cent
    agreement: np.ndarray  # [C] share of 64 images named as by full precision
    statistics: np.ndarray  # [T, S, O] float32; NaN where a site has fewer options
    eigenvalues: np.ndarray  # [L] top ones of each kernel's Hessian: for HAWQ alone
    seconds: np.ndarray  # [R + 2] CPU-seconds of SOURCES, of eigenvalues, and of the agreement of all configs
    full: float  # accuracy in full precision

    @property
    def layers(self) -> int:
        """L, the number of layers."""
        return self.configs.shape[1] // 2

    def of(self, name: str) -> np.ndarray:
        """Returns one statistic, [S, O]. Raises ValueError where there is none of that name."""
        if name not in NAMES:
            raise unknown("statistic", name, NAMES)
        return self.statistics[NAMES.index(name)]

    def rows(self, configs: np.ndarray) -> np.ndarray:
        """Returns where configs [B, S] stand in the bench, [B]. Raises ValueError where one is not in it."""
        genomes = np.atleast_2d(np.asarray(configs))
        if genomes.shape[1] != self.configs.shape[1]:
            raise UserError(
                f"a config of {self.name} has {self.configs.shape[1]} genes, and these have {genomes.shape[1]}; "
                "type the options of all kernels, then those of all inputs"
            )
        place = {row.tobytes(): i for i, row in enumerate(self.configs.astype(np.int32))}
        rows = np.array([place.get(row.tobytes(), -1) for row in genomes.astype(np.int32)])
        if (rows < 0).any():
            unknown = genomes[int(np.argmax(rows < 0))]
            near = int(np.abs(self.configs - unknown).sum(1).argmin())
            raise UserError(
                f"config {unknown.tolist()} of {self.name} is not among the bench's {len(self.configs)}: its accuracy is not "
                f"known; the nearest is row {near}",
                "evaluate it with domain=quant, or type one of NetworkRecord.configs",
            )
        return rows


def validate(record: NetworkRecord) -> NetworkRecord:
    """Returns a record with shapes that fit and all statistics. Raises ValueError otherwise."""
    sites, options = record.configs.shape[1], record.statistics.shape[2]
    shape, right_shape = record.statistics.shape, (len(NAMES), sites, options)
    if shape != right_shape or len(record.accuracy) != len(record.configs) or len(record.seconds) != len(SOURCES) + 2:
        raise UserError(
            f"{record.name} has statistics {list(shape)}, {len(record.accuracy)} accuracies of {len(record.configs)} configs "
            f"and {len(record.seconds)} times",
            f"give statistics {list(right_shape)}, as many accuracies as configs, and {len(SOURCES) + 2} times",
        )
    there = np.isfinite(record.of("bits"))
    for name, values in zip(NAMES, record.statistics, strict=True):
        if not np.isfinite(values[there]).all():
            site, option = (int(i[0]) for i in np.nonzero(there & ~np.isfinite(values)))
            raise UserError(
                f"statistic {name} of network {record.name} is missing at site {site}, option {option}: "
                f"{values[site, option]}; "
                "make its part of the bench again (qd study emq.bench), or leave the network out (domain.networks=...)"
            )
    available = np.take_along_axis(there[None], record.configs[:, :, None].clip(0, options - 1), 2)
    if record.configs.min() < 0 or record.configs.max() >= options or not available.all():
        raise UserError(
            f"a config of {record.name} chooses an option that its site has not", "make its part of the bench again"
        )
    return record
