"""Workers of a Dask cluster: one that is there, started by its own means, or a local one."""

import hashlib
import logging
import os
import queue
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from qd.remote import memory, pickling
from qd.remote.processes import check_timeout
from qd.remote.tasks import KILLED, UNFIT, Outcome, Status, Task
from qd.support.errors import UserError

_CONNECT, _CLOSE = 10.0, 10.0  # seconds
_GLANCE = 1.0  # seconds between two questions to the scheduler, who is there
_COMPARED = ("python", "dask", "distributed", "msgpack", "numpy")  # packages that driver and workers must share
_LOCAL = "127.0.0.1"  # nothing outside this machine can reach a local cluster


@dataclass(frozen=True)
class Cluster:
    """Settings of Dask workers."""

    address: str | None = None  # of a scheduler; None: a cluster on this machine
    workers: int | None = None  # of that local cluster; None: one for each core
    timeout: float | None = None  # seconds an evaluation
    memory: float | None = None  # megabytes an evaluation

    def __post_init__(self) -> None:
        if find_spec("distributed") is None:
            raise UserError("remote=dask needs the package distributed", "type pip install 'qd-atlas[distributed]'")
        if self.workers is not None and (self.workers < 1 or self.address is not None):
            problem = f"workers={self.workers} evaluates nothing" if self.workers < 1 else "workers= is of a local cluster"
            raise UserError(problem, "leave out workers, or type workers=4 without remote.address")
        check_timeout(self.timeout)
        memory.check(self.memory)

    @property
    def capacity(self) -> int:
        return self.workers or os.cpu_count() or 1

    @property
    def how_to_start(self) -> str:
        return f"type dask worker {self.address or 'ADDRESS'} in another terminal, in this folder"

    def open(self, domain: Any) -> "Dask":
        return Dask(self, pickling.dumps(domain))


class Dask:
    """A connection to a scheduler."""

    def __init__(self, settings: Cluster, payload: bytes) -> None:
        """Connects, compares versions and brings the domain to the workers."""
        import distributed

        from qd.remote import dask_worker

        self._evaluate, self._futures = dask_worker.evaluate, {}
        self._futures: dict[Any, Task]  # by key
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        self._lost, self._threads, self._glance = 0, {}, float("-inf")
        self._threads: dict[str, int]  # address -> threads of the workers that are there
        self._cluster = None
        if settings.address is None:
            self._cluster = _local(settings.capacity)
        self.address = settings.address or self._cluster.scheduler_address  # type: ignore[union-attr]
        try:
            self._client: Any = distributed.Client(self.address, timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(
                f"no Dask scheduler answers at {self.address} ({str(error)[:100]})",
                f"type dask scheduler --host {_LOCAL}, then dask worker ADDRESS in this folder, and that ADDRESS here",
            ) from error
        self._name = f"{hashlib.blake2b(payload, digest_size=6).hexdigest()}-{os.getpid()}-{time.time_ns()}"
        limit = None if settings.memory is None else settings.memory * 2**20
        try:
            self._check_versions()
            self._client.register_plugin(
                dask_worker.ServeDomain(self._name, payload, settings.timeout, limit, dask_worker.version_here())
            )
        except UserError:
            self.close()
            raise
        except ImportError as error:
            self.close()
            raise UserError(
                f"a worker of {self.address} cannot import {error.name}", "type pip install qd-atlas there"
            ) from error

    def submit(self, task: Task) -> None:
        key = f"qd-{self._name}-{task.number}"
        self._futures[key] = task
        future = self._client.submit(self._evaluate, self._name, task, key=key, pure=False)
        future.add_done_callback(self._done.put)

    def wait(self, seconds: float) -> list[Outcome]:
        futures = []
        with suppress(queue.Empty):
            futures.append(self._done.get(timeout=seconds))
            while True:
                futures.append(self._done.get_nowait())
        successes = [future for future in futures if future.status == "finished" and future.key in self._futures]
        outcomes = list(self._client.gather(successes, errors="skip")) if successes else []
        back = {outcome.number for outcome in outcomes}
        for future in futures:
            task = self._futures.pop(future.key, None)
            if task is not None and task.number not in back:
                outcomes.append(_failed(task, future))
            future.release()
        return outcomes

    def status(self) -> Status:
        self._look()
        in_flight = list(self._futures.values())
        threads = sum(self._threads.values())
        return Status(threads, min(len(in_flight), threads), self._lost, sum(len(task.solutions) for task in in_flight))

    def pids(self) -> list[int]:
        return []

    def close(self) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            if self._futures:
                self._client.cancel(
                    [self._client.futures[key] for key in self._futures if key in self._client.futures], force=True
                )
            self._client.unregister_worker_plugin(self._name)
        self._client.close(timeout=_CLOSE)
        if self._cluster is not None:
            self._cluster.close(timeout=_CLOSE)

    def _look(self) -> None:
        """Asks the scheduler who is there, not too often."""
        if time.monotonic() - self._glance < _GLANCE:
            return
        present: dict[str, int] = {}
        with suppress(OSError, TimeoutError, ValueError):
            present = dict(self._client.nthreads())
        self._lost += len(self._threads.keys() - present.keys())
        self._threads, self._glance = present, time.monotonic()

    def _check_versions(self) -> None:
        """Raises UserError where a worker or the scheduler has other versions than this process."""
        versions = self._client.get_versions()
        ours = _versions(versions["client"])
        places = {"the scheduler": versions["scheduler"]} | {
            f"the worker {at}": each for at, each in versions["workers"].items()
        }
        for place, each in places.items():
            if not each:
                continue
            theirs = _versions(each)
            differ = [
                f"{name} {theirs.get(name)} (here {ours.get(name)})" for name in _COMPARED if theirs.get(name) != ours.get(name)
            ]
            if differ:
                raise UserError(
                    f"{place} of {self.address} has {', '.join(differ)}", "install the same versions there, and start it again"
                )


def _local(workers: int) -> Any:
    """Starts a cluster on this machine. Raises UserError where it does not start."""
    import distributed

    try:
        return distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, host=_LOCAL, dashboard_address=f"{_LOCAL}:0", memory_limit=0,
            silence_logs=logging.ERROR,
        )  # fmt: skip
    except (RuntimeError, OSError, TimeoutError) as error:
        raise UserError(f"a local Dask cluster does not start: {error}", "type the command again, or workers=4") from error


def _versions(about: dict[str, Any]) -> dict[str, str | None]:
    packages = dict(about["packages"])
    python = str(packages.get("python", ""))
    return packages | {"python": ".".join(python.split(".")[:2])}


def _failed(task: Task, future: Any) -> Outcome:
    """The outcome of a task that Dask itself could not do."""
    from distributed.scheduler import KilledWorker

    if future.status != "error":
        return Outcome(task.number, None, 0.0, KILLED, f"Dask calls it {future.status}")
    error = future.exception()
    if isinstance(error, KilledWorker | OSError):
        return Outcome(task.number, None, 0.0, KILLED, str(error)[:200])
    return Outcome(
        task.number, None, 0.0, UNFIT, f"a Dask worker cannot do its work: {type(error).__name__}: {str(error)[:300]}"
    )
