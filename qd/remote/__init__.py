"""Evaluations elsewhere: a domain that wraps a domain and is evaluated by processes of this machine, or by a Dask cluster.

    from qd import remote

    with remote.Pool(MyDomain(), workers=4, timeout=60) as domain:
        ...

For domains that take long and are not written in JAX: a search with such a domain runs on the host, batch by batch.
"""

from typing import TYPE_CHECKING, Any

from qd.support.imports import attach
from qd.types import Domain

__all__ = ["Dask", "Pool", "Remote", "Serial"]

if TYPE_CHECKING:
    from qd.remote.domain import Remote
else:
    __getattr__, __dir__ = attach(__name__, {"qd.remote.domain": ("Remote",), __name__: ("Dask", "Pool", "Serial")})


def Pool(domain: Domain, workers: int, timeout: float | None = None, memory: float | None = None, **settings: Any) -> "Remote":
    """Returns a domain that is evaluated by processes on this machine.

    Args:
        domain: it must be picklable, and its class must stand in a module (or below ``if __name__ == "__main__":`` no worker is
            opened in a script).
        workers: processes.
        timeout: seconds that one evaluation may take before its process is ended; None: no limit.
        memory: megabytes that one evaluation may need beyond what the process has after its start (Linux); None: no limit.
        settings: chunk, retries, patience of ``Remote``.

    Raises:
        UserError: a setting is impossible. A domain that cannot be sent is refused at the first evaluation.
    """
    from qd.remote.domain import Remote
    from qd.remote.processes import Processes

    return Remote(domain, Processes(workers, timeout, memory), **settings)


def Serial(domain: Domain, **settings: Any) -> "Remote":
    """Returns a domain that is evaluated in this process, in the same chunks as by workers: the archive is the same.

    Args:
        domain: any that is evaluated in a process.
        settings: chunk, retries of ``Remote``.
    """
    from qd.remote.domain import Remote
    from qd.remote.in_process import InProcess

    return Remote(domain, InProcess(), **settings)


def Dask(
    domain: Domain,
    address: str | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    memory: float | None = None,
    **settings: Any,
) -> "Remote":
    """Returns a domain that is evaluated by Dask workers (extra ``distributed``).

    Args:
        domain: as for ``Pool``; the workers must be able to import its module.
        address: of a scheduler, such as tcp://127.0.0.1:8786; None: a cluster is started on this machine.
        workers: of that local cluster; None: one for each core.
        timeout: as for ``Pool``.
        memory: as for ``Pool``.
        settings: chunk, retries, patience of ``Remote``.

    Raises:
        UserError: a setting is impossible, or Dask is not installed.
    """
    from qd.remote.cluster import Cluster
    from qd.remote.domain import Remote

    return Remote(domain, Cluster(address, workers, timeout, memory), **settings)
