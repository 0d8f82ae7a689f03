"""Where evaluations are done: ``workers=4`` and the settings ``remote.*``, and the domain that they wrap."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qd.support.errors import UserError
from qd.support.spelling import unknown

ENGINES = ("pool", "dask", "serial")
_ASKED = "workers of a process pool evaluate (type workers=4), or Dask (remote=dask)"


@dataclass(frozen=True)
class RemoteSettings:
    """How solutions are sent to workers, and how long one may take."""

    engine: str = "pool"  # of conf/remote
    address: str | None = None  # of a Dask scheduler
    chunk: int = 1  # solutions that a worker gets at a time
    timeout: float | None = None  # seconds that one evaluation may take, then its process is ended
    memory: float | None = None  # megabytes that one evaluation may need
    retries: int = 1  # more tries of an evaluation that failed
    patience: float = 300.0  # seconds to wait for a worker where all are lost


def is_remote(workers: int | None, remote: RemoteSettings) -> bool:
    """Whether evaluations are sent to workers.

    Args:
        workers: as typed.
        remote: as typed.
    """
    return workers is not None or remote.engine != "pool"


def check(workers: int | None, remote: RemoteSettings) -> None:
    """Raises UserError where the settings of workers are impossible or do not fit each other.

    Arguments as in ``is_remote``.

    Raises:
        UserError: names what to type.
    """
    if remote.engine not in ENGINES:
        raise unknown("remote", remote.engine, ENGINES)
    if workers is not None and workers < 1:
        raise UserError(f"workers={workers} evaluates nothing", "type workers=1 or more, or leave it out")
    if remote.engine == "serial" and workers is not None:
        raise UserError(f"remote=serial has no workers, but workers={workers}", "leave out one of the two")
    if remote.engine != "dask" and remote.address is not None:
        raise UserError(f"remote.address={remote.address} is of Dask", "type remote=dask too")
    if not is_remote(workers, remote):
        for each in fields(remote):
            if getattr(remote, each.name) != each.default:
                raise UserError(f"remote.{each.name} is set, but nothing is sent anywhere: {_ASKED}")
    if remote.engine == "serial" and (remote.timeout is not None or remote.memory is not None):
        raise UserError(
            "remote=serial cannot end an evaluation", "leave out remote.timeout and remote.memory, or type workers=1"
        )
    for name, least in (("chunk", 1), ("retries", 0), ("patience", 0)):
        if not getattr(remote, name) >= least:
            raise UserError(f"remote.{name}={getattr(remote, name)} is too small", f"type remote.{name}={least} or more")
    for name in ("timeout", "memory"):
        number = getattr(remote, name)
        if number is not None and not number > 0:
            raise UserError(f"remote.{name}={number} is too small", f"type remote.{name}=60, or leave it out")


def wrap(domain: Any, workers: int | None, remote: RemoteSettings, run: Path | None) -> Any:
    """Returns the domain as it is evaluated: itself, or sent to workers.

    Args:
        domain: what is searched.
        workers: as typed.
        remote: as typed.
        run: the folder of the run, where results are recorded until a checkpoint holds them; None: nowhere.

    Raises:
        UserError: another program evaluates the domain, or Dask is not installed.
    """
    if not is_remote(workers, remote):
        return domain
    from qd.remote import Remote
    from qd.remote.cluster import Cluster
    from qd.remote.in_process import InProcess
    from qd.remote.processes import Processes

    limits = {"timeout": remote.timeout, "memory": remote.memory}
    if remote.engine == "dask":
        engine: Any = Cluster(remote.address, workers, **limits)
    else:
        engine = InProcess() if workers is None else Processes(workers, **limits)
    return Remote(domain, engine, remote.chunk, remote.retries, remote.patience, None if run is None else str(run))
