"""Connections of our pages: a request must arrive in time, and one address cannot occupy all of them.

uvicorn has no time limit for a request's head, so a few idle half-requests would keep everybody out.
"""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # from opening a connection, or from a request's first byte, to the end of its headers
MOST = 200  # connections in all
MOST_EACH = 50  # of one address


class Connection(H11Protocol):
    """HTTP/1.1 with a time limit for the head of each request, and limits on the number of connections.

    At a limit the oldest connection without a whole request is closed in favour of the new one: first of those that wait
    for one, then of those whose body still comes. Where there is none the new one is closed.
    """

    clients: ClassVar["dict[Connection, str]"] = {}  # to the client's address, the oldest first
    _deadline: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: Any) -> None:
        address = str((transport.get_extra_info("peername") or ("",))[0])
        of_address = [other for other, theirs in self.clients.items() if theirs == address]
        if not _make_room(of_address, MOST_EACH) or not _make_room(list(self.clients), MOST):
            self._is_refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self.clients[self] = address
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.clients.pop(self, None)
        self._unwatch()
        if not self._is_refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.waits() and self._deadline is None:
            self._watch()
        elif not self.waits():
            self._unwatch()

    def waits(self) -> bool:
        """Whether no request is being answered on this connection."""
        return self.cycle is None or self.cycle.response_complete

    def receives(self) -> bool:
        """Whether the body of a request has not come whole."""
        return self.conn.their_state is h11.SEND_BODY

    def end(self) -> None:
        """Closes the connection at once."""
        self.clients.pop(self, None)
        self.transport.abort()

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._expire)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self.waits():
            self.end()


def _make_room(connections: "list[Connection]", most: int) -> bool:
    """Closes the oldest without a whole request where a limit is reached; returns whether there is room for one more."""
    if len(connections) < most:
        return True
    waiting = (each for each in connections if each.waits())
    idle = next(waiting, None) or next((each for each in connections if each.receives()), None)
    if idle is not None:
        idle.end()
    return idle is not None
