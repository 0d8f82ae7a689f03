"""How well hand-made proxies predict on a network of the bench, and the best of them at each cost."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from domains.proxies import bench, handmade
from domains.proxies.record import NetworkRecord

DECADES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # log10 of CPU-seconds: the best proxy that costs no more
AGREEMENT, BEST = "agreement on 64 images", "best by hand"


class Worth(NamedTuple):
    """How well a proxy predicts accuracy on one network."""

    whole: float  # Spearman's rank correlation in per cent, over all configs
    top: float  # over the truly best fifth
    cost: float  # CPU-seconds


def by_hand(bench_name: str, network: str) -> dict[str, dict[str, float]]:
    """Returns the metrics of each hand-made proxy on a network. Nothing in them is learned, so there is one seed.

    ``best by hand`` is, at each cost, the one that is best on the other networks; agreement is not among them.

    Args:
        bench_name: fashion, synthetic, or a file.
        network: name of the network.
    """
    networks = {name: worth(record) for name, record in bench.load(bench_name).items()}
    metrics = {name: _metrics(value) | by_decade(value) for name, value in networks[network].items()}
    others = [proxies for name, proxies in networks.items() if name != network]
    training = {name: np.mean([proxies[name] for proxies in others], 0) for name in others[0] if name != AGREEMENT}
    best: dict[str, float] = {}
    for decade in DECADES:
        affordable = [name for name, (_, _, cost) in training.items() if cost <= 10**decade]
        if affordable:
            value = networks[network][max(affordable, key=lambda name: training[name][:2].mean())]
            best |= {f"held {name}, {limit(decade)}": x for name, x in (("whole", value.whole), ("top", value.top))}
            best |= _metrics(value)
    return metrics | {BEST: best}


def worth(record: NetworkRecord) -> dict[str, Worth]:
    """Returns how well each hand-made proxy predicts on a network."""
    best = np.argsort(-record.accuracy, kind="stable")[: max(3, round(len(record.accuracy) / 5))]
    proxies = {}
    for name, (damage, seconds) in handmade.all_of(record).items():
        whole, top = (rank_correlation(-damage[rows], record.accuracy[rows]) for rows in (slice(None), best))
        proxies[name] = Worth(whole, top, seconds)
    return proxies


def by_decade(value: Worth) -> dict[str, float]:
    """Returns the correlations under the name of each decade of cost that is large enough for the proxy."""
    decades = [decade for decade in DECADES if value.cost <= 10**decade]
    return {f"held {name}, {limit(d)}": x for d in decades for name, x in (("whole", value.whole), ("top", value.top))}


def limit(decade: float) -> str:
    """Returns the name of a limit of cost."""
    return f"at most {10**decade:g} s"


def _metrics(value: Worth) -> dict[str, float]:
    return {"held whole": value.whole, "held top": value.top, "cost": value.cost}


def rank_correlation(predictions: np.ndarray, truth: np.ndarray) -> float:
    """Returns Spearman's rank correlation in per cent; 0 where one of the two is constant.

    Args:
        predictions: [N].
        truth: [N].
    """
    if not np.ptp(predictions) or not np.ptp(truth):
        return 0.0
    return 100 * float(np.corrcoef(rankdata(predictions), rankdata(truth))[0, 1])
