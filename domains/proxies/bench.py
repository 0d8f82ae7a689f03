"""The bench: of each network configs, their accuracies, and statistics of its layers before any config is evaluated.

A network of L layers has S = 2L sites, tensors to be quantized: its L kernels, then its L inputs. A config chooses an
option (bits) for each site. A statistic is a number for each site and option. Made by experiments/emq/bench.py.

T statistics, R sources, O options of a site (fewer where NaN), C configs.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from domains.proxies.record import NAMES, SOURCES, NetworkRecord, validate
from qd.support.atomic import replacing
from qd.support.errors import UserError
from qd.support.spelling import unknown


def load(bench: str) -> dict[str, NetworkRecord]:
    """Reads a bench.

    Args:
        bench: its name (one of this folder, or synthetic, which no network made) or its file.

    Returns:
        Its networks by name.

    Raises:
        ValueError: it is not there, a statistic is missing or not finite, or its shapes do not fit.
    """
    if bench == "synthetic":
        from domains.proxies import synthetic

        return {record.name: validate(record) for record in synthetic.records()}
    path = _path(bench)
    if not path.is_file():
        benches = sorted([*(file.stem for file in path.parent.glob("*.npz")), "synthetic"])
        raise unknown("bench", bench, benches, otherwise="or the file that qd study emq.bench wrote")
    return _read(path, path.stat().st_mtime_ns)


def _path(bench: str) -> Path:
    return Path(bench) if bench.endswith(".npz") else Path(__file__).parent / f"{bench}.npz"


def write(path: Path, records: list[NetworkRecord], about: str) -> None:
    """Keeps a bench as one npz that needs no pickle.

    Args:
        path: the npz file; its folder is made where there is none.
        records: the networks; configs are kept as int8, statistics as float32.
        about: what the bench is, in words; the function ``about`` returns it.
    """
    columns: dict[str, np.ndarray] = {"networks": np.array([r.name for r in records]), "about": np.array(about)}
    columns |= {"names": np.array(NAMES), "sources": np.array(SOURCES)}
    for record in records:
        compact = record._replace(configs=record.configs.astype(np.int8), statistics=record.statistics.astype(np.float32))
        columns |= {f"{record.name}/{field}": np.asarray(x) for field, x in compact._asdict().items() if field != "name"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        np.savez_compressed(file, **columns)  # type: ignore[arg-type]


def about(bench: str) -> str:
    """Returns the description in a bench's file."""
    load(bench)
    with np.load(_path(bench), allow_pickle=False) as archive:
        return str(archive["about"])


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int) -> dict[str, NetworkRecord]:
    with np.load(path, allow_pickle=False) as archive:
        lacking = [name for name in NAMES if name not in archive["names"]]
        if lacking or tuple(archive["sources"]) != SOURCES:
            raise UserError(
                f"{path.name} has no statistic {', '.join(lacking) or 'of these sources'}: it is of another version; "
                "make it again: qd study emq.bench"
            )
        order = [list(archive["names"]).index(name) for name in NAMES]
        records = []
        for name in map(str, archive["networks"]):
            fields = {field: archive[f"{name}/{field}"] for field in NetworkRecord._fields if field != "name"}
            fields["statistics"], fields["full"] = fields["statistics"][order], float(fields["full"])
            fields["configs"] = fields["configs"].astype(np.int32)
            records.append(validate(NetworkRecord(name, **fields)))
    return {record.name: record for record in records}
