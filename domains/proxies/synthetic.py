"""A synthetic bench for tests and first tries: additive damage, and statistics that correlate with it. It proves nothing.

C configs, L layers.
"""

import numpy as np

from domains.proxies.record import NAMES, SOURCES, NetworkRecord

BITS = (2, 3, 4, 6, 8)


def records(networks: int = 4, configs: int = 60, layers: int = 6, seed: int = 0) -> list[NetworkRecord]:
    """Returns networks of layers, layers + 1, ... with true damage curvature x 4^-bits, and statistics near or far from it.

    Args:
        networks: how many.
        configs: C, of each network.
        layers: L of the first network; each next one has one more.
        seed: of the first network; each next one has the next seed.

    Returns:
        The networks, named made0, made1, ...
    """
    return [_record(f"made{i}", configs, layers + i, seed + i) for i in range(networks)]


def _record(name: str, configs: int, layers: int, seed: int) -> NetworkRecord:
    random = np.random.default_rng(seed)
    sites, bits = 2 * layers, np.array(BITS, np.float32)
    statistics = random.lognormal(0, 1, (len(NAMES), sites, 1)) * np.ones(len(BITS))
    at = NAMES.index
    change = random.lognormal(0, 1, (sites, 1)) * 4.0 ** (2 - bits)
    curvature = random.lognormal(0, 1, (sites, 1))
    statistics[at("bits")] = bits
    statistics[at("change")] = change
    statistics[at("error")] = change / random.lognormal(2, 0.3, (sites, 1))
    statistics[at("trace")] = curvature * random.lognormal(0, 0.2, (sites, 1))
    statistics[at("omega")] = statistics[at("trace")] * change
    statistics[at("fisher")] = curvature * change * random.lognormal(0, 0.5, change.shape)
    statistics[at("kl")] = curvature * change * random.lognormal(0, 0.3, change.shape)
    level = random.random((configs, 1))
    configs_drawn = np.clip((level + 0.4 * (random.random((configs, sites)) - 0.5)) * len(BITS), 0, len(BITS) - 1).astype(
        np.int32
    )
    damage = (curvature * change)[np.arange(sites), configs_drawn].sum(1) / sites
    accuracy = 10 + 80 * np.exp(-damage)
    agreement = np.round((accuracy + random.normal(0, 4, configs)).clip(0, 90) / 90 * 64) / 64
    seconds = np.geomspace(0.01, 5, len(SOURCES) + 2)
    statistics, eigenvalues = statistics.astype(np.float32), curvature[:layers, 0]
    return NetworkRecord(name, configs_drawn, accuracy, agreement, statistics, eigenvalues, seconds, 90.0)
