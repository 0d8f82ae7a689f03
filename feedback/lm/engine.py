"""Many calls at once, on a thread of its own: cache, gate, attempts, ledger. From outside it is one batched function."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from feedback.lm.accounting.budget import Budget, Cost, Price
from feedback.lm.accounting.cache import Cache
from feedback.lm.accounting.gate import Gate
from feedback.lm.accounting.ledger import Ledger
from feedback.lm.accounting.limits import Limits
from feedback.lm.settings import is_loopback
from feedback.lm.transport import pictures, response, retries
from feedback.lm.transport.capped import cap
from feedback.lm.transport.request import PROBE, Request
from feedback.lm.transport.response import Failure, Reply
from qd.support.errors import UserError

_LANE, _TLS_LANE = (
    2,
    16,
)  # calls that share a pool: each call costs more in a larger pool, and a new one takes time to read certificates

_PROBES = 3  # attempts at a call of the start-up probe, which everything else waits for


class Engine:
    def __init__(
        self,
        base_url: Callable[[], str],
        secret: str,
        price: Price,
        budget: Budget,
        limits: Limits,
        cache: Cache,
        ledger: Ledger,
    ) -> None:
        self._base_url, self._secret, self._price, self._limits = base_url, secret, price, limits
        self._cache, self.ledger = cache, ledger
        self._url = ""
        self._fault: UserError | None = None  # why nothing more is sent: an answer could not be stored
        self._lanes: list[list[Any]] = []  # [calls in flight, client]
        self._connecting = threading.Lock()
        self._flying: dict[bytes, asyncio.Future[Reply | Failure]] = {}
        self._loop = asyncio.new_event_loop()
        self._gate = Gate(limits, budget, ledger.total, self._loop.time())
        self._thread = threading.Thread(target=self._loop.run_forever, name="language model", daemon=True)
        self._thread.start()

    def ask(self, questions: dict[bytes, Request], model: str, keep: bool) -> dict[bytes, Reply | Failure]:
        """Sends requests and waits for all of them.

        Args:
            questions: requests by key.
            model: fingerprint of the model.
            keep: whether the cache stores the replies.

        Returns:
            A reply or a failure for each key.

        Raises:
            Spent: the budget has no room for all; the answers until then are stored.
            UserError: an answer or its cost cannot be written to disk; nothing more is sent.
        """
        with self._connecting:
            if not self._lanes:
                self._connect(self._base_url())
        future: Future = asyncio.run_coroutine_threadsafe(self._all(questions, model, keep), self._loop)
        try:
            return dict(zip(questions, future.result(), strict=True))
        except BaseException:  # Ctrl-C too: nothing more is sent
            future.cancel()
            raise

    def close(self) -> None:
        """Closes all connections and ends the thread; calls in flight are cut off and charged."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()

    async def _hang_up(self) -> None:
        flying = list(self._flying.values())
        for call in flying:
            call.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
        for _, client in self._lanes:
            await client.close()

    def _connect(self, url: str) -> None:
        import openai  # 0.3 seconds of the processor, which a run does without whose replies are all in the cache

        self._url, lanes = url, []
        for _ in range(-(-self._limits.concurrency // (_TLS_LANE if url.startswith("https") else _LANE))):
            client = openai.AsyncOpenAI(
                base_url=url,
                api_key=self._secret or "none",  # never the user's OPENAI_API_KEY by chance
                max_retries=0,
                default_headers={"Accept-Encoding": "identity"},  # replies are small, and a packed one may be endless
                timeout=self._limits.timeout,
                http_client=openai.DefaultAsyncHttpxClient(
                    trust_env=not is_loopback(url),  # no proxy on the way to this machine
                    verify=url.startswith("https"),  # else nothing is encrypted
                    follow_redirects=False,  # our key goes nowhere else
                    event_hooks={"response": [cap(int(1e6 * self._limits.response_mb))]},
                ),
            )
            lanes.append([0, client])
        self._lanes = lanes

    async def _all(self, questions: dict[bytes, Request], model: str, keep: bool) -> Sequence[Reply | Failure]:
        self._cache.flush()
        self._fault = None
        tasks = [self._share_call(key, request, model, keep) for key, request in questions.items()]
        results = await asyncio.gather(*tasks, return_exceptions=True)  # those in flight are waited for and stored
        for each in results:
            if isinstance(each, BaseException):
                raise each
        return results  # type: ignore[return-value]

    def _share_call(self, key: bytes, request: Request, model: str, keep: bool) -> "asyncio.Future[Reply | Failure]":
        """Two callers with one question make one call."""
        if key not in self._flying:
            task = asyncio.ensure_future(self._insist(key, request, model, keep))
            self._flying[key] = task
            task.add_done_callback(lambda _: self._flying.pop(key))
        return self._flying[key]

    async def _insist(self, key: bytes, request: Request, model: str, keep: bool) -> Reply | Failure:
        """Repeats a call until there is an answer, a failure that cannot be repeated, or no time."""
        worst = self._cost(request.worst_in, request.worst_out)
        failure, ends = Failure("timeout"), float("inf")
        attempts = min(_PROBES, self._limits.attempts) if request.role == PROBE else self._limits.attempts
        for attempt in range(attempts):
            try:
                async with asyncio.timeout_at(ends if attempt else None):
                    start = await self._gate.enter(worst)
            except TimeoutError:
                break
            ends = min(ends, start + self._limits.deadline)
            result = await self._attempt(key, request, worst, start, ends, model if keep else None)
            if isinstance(result, Reply):
                return result
            failure, pause = result, retries.pause(result, attempt)
            if not result.again or attempt + 1 == attempts or self._loop.time() + pause > ends:
                break
            await asyncio.sleep(pause)
        if keep:
            with self._stopping():
                self._cache.put_failure(key, failure)
        return failure

    async def _attempt(
        self, key: bytes, request: Request, worst: Cost, start: float, ends: float, model: str | None
    ) -> Reply | Failure:
        """Makes one call: recorded before and after, charged for its usage, or for the worst case where that is unknown."""
        result, actual, ticket = Failure("cut", "stopped"), Cost(), None
        try:
            if self._fault is not None:
                raise self._fault
            with self._stopping():
                ticket, actual = self.ledger.open_call(request.role, key, worst), worst
                result, body = await self._send(request, ends)
                if isinstance(result, Reply):
                    actual = self._cost(result.tokens_in, result.tokens_out)
                    result = result._replace(money=actual.money)
                    if model is not None:  # stored first, noted second: no answer is lost between the two
                        self._cache.put(key, model, request, result, body, self._loop.time() - start)
                elif result.used is not None:
                    actual = self._cost(*result.used)
                elif not result.may_cost:
                    actual = Cost(1)
        finally:
            failure = result if isinstance(result, Failure) else None
            try:
                if ticket is not None:
                    with self._stopping():
                        self.ledger.close_call(ticket, actual, failure.kind if failure else "")
            finally:
                self._gate.leave(start, worst, actual, failure)
        return result

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Stops all calls once an answer or its cost is not stored."""
        try:
            yield
        except UserError as error:
            self._fault = error
            raise

    def _cost(self, tokens_in: int, tokens_out: int) -> Cost:
        return Cost(1, tokens_in, tokens_out, self._price.of(tokens_in, tokens_out))

    async def _send(self, request: Request, ends: float) -> tuple[Reply | Failure, str]:
        lane = min(self._lanes, key=lambda each: each[0])
        lane[0] += 1
        try:
            async with asyncio.timeout_at(min(ends, self._loop.time() + self._limits.timeout)):
                text = await lane[1].post(f"/{request.path}", cast_to=str, body=request.body)
        except retries.errors() as error:
            failure = retries.failure(error)
            if failure.kind == "no connection":
                await self._move()
            return failure._replace(message=self._without_key(failure.message)), ""
        finally:
            lane[0] -= 1
        text = self._without_key(text)
        read = pictures.read if request.path == pictures.PATH else response.read
        return read(request, text), text

    async def _move(self) -> None:
        """Connects to our own server's new address, where it had to be started again."""
        with suppress(ValueError):  # the call itself has failed already, and is reported
            url = await asyncio.to_thread(self._base_url)
            if url != self._url:
                self._connect(url)

    def _without_key(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text
