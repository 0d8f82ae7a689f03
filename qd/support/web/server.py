"""Starts a local web server: its options, its packages, its port, and what it prints."""

import importlib.util
import socket
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qd.support.errors import UserError
from qd.support.web.guard import LOOPBACK, hosts

_NEEDS = ("starlette", "itsdangerous", "uvicorn", "jinja2")  # of the extra `web`
_PORTS = 65536


class Address(NamedTuple):
    """Where a server listens, and who may open it."""

    host: str
    port: int
    key: str | None  # secret in the address; None: none is needed
    names: tuple[str, ...] = ()  # further host names

    @property
    def url(self) -> str:
        """What a browser opens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/" + (f"?key={self.key}" if self.key else "")

    @property
    def hosts(self) -> frozenset[str]:
        """The Host headers that are answered."""
        return hosts(self.host, self.port, self.names)


def add_options(parser: ArgumentParser, port: int) -> None:
    """Adds --port, --host, --name and --key.

    Args:
        parser: of a command that serves pages.
        port: the default.
    """
    parser.add_argument("--port", type=int, default=port, help=f"port to listen on; {port} by default")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, e.g. 0.0.0.0; then a key is needed")
    parser.add_argument("--name", action="append", default=[], help="another host name of the page, e.g. behind a proxy")
    parser.add_argument("--key", help="secret in the address that other machines open; by default a random one")


def check(command: str, port: int) -> None:
    """Checks that a command can serve pages.

    Args:
        command: for messages, e.g. "qd label".
        port: to listen on.

    Raises:
        UserError: a package is missing, or the port is out of range.
    """
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{command} needs {', '.join(missing)}, not installed here", "type pip install 'qd-atlas[web]'")
    if not 0 < port < _PORTS:
        raise UserError(f"--port {port} is out of range", "type a port from 1 to 65535, e.g. --port 8765")


def address(host: str, port: int, names: Sequence[str], key: str | None, new_key: Callable[[], str]) -> Address:
    """Returns where to listen; a key is needed where more than this machine can connect.

    Args:
        host: address to listen on.
        port: 1 to 65535.
        names: further host names.
        key: that the user typed, or None.
        new_key: returns a key where one is needed and none was typed.
    """
    return Address(host, port, key or (None if host in LOOPBACK else new_key()), tuple(names))


def serve(app: Any, where: Address, lines: Sequence[str]) -> int:
    """Serves an application until it is stopped, and returns the exit status.

    Args:
        app: an ASGI application behind its guard.
        where: to listen.
        lines: printed once the port is ours.

    Raises:
        UserError: the port or the address cannot be used.
    """
    import uvicorn

    from qd.support.web.connections import MOST, Connection

    with _listening(where) as listener:
        print("\n".join(lines), flush=True)
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off", http=Connection,
                           limit_concurrency=MOST + 1, timeout_keep_alive=20, timeout_graceful_shutdown=3, ws="none")
        )  # fmt: skip
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _listening(where: Address) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(place[:2], family=family, backlog=2048)
    except OSError as error:
        other = where.port + 1 if where.port + 1 < _PORTS else where.port - 1
        raise UserError(
            f"port {where.port} of {where.host} cannot be used ({error.strerror})",
            f"type --port {other}, or end what listens there",
        ) from error
