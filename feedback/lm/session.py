"""One client at work: what it has opened, started and learned, built when it is first needed and once."""

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from feedback.lm.accounting.budget import Cost, price
from feedback.lm.accounting.cache import Cache
from feedback.lm.accounting.ledger import Ledger
from feedback.lm.engine import Engine
from feedback.lm.settings import Settings
from feedback.lm.transport.probe import Traits, probe
from feedback.lm.transport.request import Request, hash_seed, request_key
from feedback.lm.transport.response import Answer, Failure
from qd.support import run_files
from qd.support.errors import UserError


class Session:
    """From several threads too: whatever is built is built under a lock."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._cache: Cache | None = None
        self._ledger: Ledger | None = None
        self._engine: Engine | None = None
        self._known: Traits | None = None
        self._model = ""

    def ask(self, asked: Sequence[Request]) -> list[Answer | Failure]:
        """Answers requests from the cache and the endpoint, in their order, each question once."""
        keys = [request_key(request, self.model, self.settings.prompt_version) for request in asked]
        questions = {key: request for key, request in zip(keys, asked, strict=True) if not request.empty}
        found: dict[bytes, Answer | Failure] = dict(self._recorded(list(questions)))
        self._note_cached(asked, [found[key] for key in keys if key in found])
        missing = {key: request for key, request in questions.items() if key not in found}
        if missing and self.settings.mode == "replay":
            found |= self._replayed(missing)
        elif missing:
            seeded = bool(self.known.seed)  # asked before anything else, since it may raise
            sent = {key: request if seeded else _without_seed(request) for key, request in missing.items()}
            found |= self.engine.ask(sent, self.model, self.settings.mode != "off")
        nothing = Failure("empty prompt", charged=False)
        for key, request in zip(keys, asked, strict=True):
            failed = found.get(key, nothing)
            if isinstance(failed, Failure):
                self.ledger.gave_up(request.role, key, failed.kind)
        return [found.get(key, nothing) for key in keys]

    def request(self, path: str, body: dict[str, Any], role: str, sample: int, schema: dict[str, Any] | None = None) -> Request:
        """A request with all that is sent; above temperature 0 it has a seed of its own."""
        body = {"model": self.settings.model} | body | dict(self.settings.extra)
        if body.get("temperature", 0) > 0:
            body["seed"] = hash_seed(self.settings.seed, path, body, sample)
        return Request(path, body, role, sample, schema)

    def close(self) -> None:
        with self._lock:
            for each in (self._engine, self._ledger, self._cache):
                if each is not None:
                    each.close()
            self._engine = self._ledger = self._cache = None

    @property
    def known(self) -> Traits:
        with self._lock:
            if self._known is None:
                self._known = self.settings.traits if isinstance(self.settings.traits, Traits) else self._probed()
            return self._known

    @property
    def model(self) -> str:
        """What tells the model from others, in every key."""
        with self._lock:
            server = self.settings.server
            if not self._model:
                self._model = self.settings.fingerprint or (
                    server.fingerprint if server else f"{self.settings.base_url} {self.settings.model}"
                )
            return self._model

    @property
    def cache(self) -> Cache:
        with self._lock:
            if self._cache is None:
                self._cache = Cache(self.settings.cache)
            return self._cache

    @property
    def ledger(self) -> Ledger:
        with self._lock:
            if self._ledger is None:
                name = re.sub(r"\W+", "-", f"{self.settings.model}-") + hashlib.sha256(self.model.encode()).hexdigest()[:8]
                self._ledger = Ledger(
                    None if self.settings.folder is None else Path(self.settings.folder, run_files.LM, f"{name}.jsonl")
                )
            return self._ledger

    @property
    def engine(self) -> Engine:
        """Raises ValueError where the key is not set, or another client writes the ledger."""
        with self._lock:
            if self._engine is None:
                name = self.settings.key_variable
                secret = os.environ.get(name, "") if name else ""
                if name and not secret:
                    raise UserError(f"the key of {self.settings.base_url} is not set", f"type export {name}=YOUR_KEY")
                priced = price(self.settings.price, self.settings.is_here, self.settings.model)
                self._engine = Engine(self._url, secret, priced, *self.settings.bounds, self.cache, self.ledger)
            return self._engine

    def _recorded(self, keys: list[bytes]) -> dict[bytes, Answer]:
        if self.settings.mode == "off":
            return {}
        if self.settings.mode == "record":  # what this run recorded before it was cut off is not asked again
            keys = [key for key in keys if key.hex() in self.ledger.keys]
        return self.cache.find(keys)

    def _replayed(self, missing: dict[bytes, Request]) -> dict[bytes, Failure]:
        failed = self.cache.failed(missing)
        lacking = [request for key, request in missing.items() if key not in failed]
        if lacking:
            raise UserError(
                f"{len(lacking)} of {len(missing)} questions have no answer in {self.settings.cache or 'a cache in memory'}, "
                f"and lm.mode=replay asks nobody (the first is {lacking[0].role or 'a'} prompt "
                f"{str(lacking[0].body)[:120]!r})",
                "type lm.mode=readwrite",
            )
        return failed

    def _note_cached(self, asked: Sequence[Request], found: list[Answer | Failure]) -> None:
        answers = [each for each in found if isinstance(each, Answer)]
        if answers:
            tokens_in, tokens_out = sum(each.tokens_in for each in answers), sum(each.tokens_out for each in answers)
            self.ledger.cached(asked[0].role, len(answers), Cost(0, tokens_in, tokens_out, sum(each.money for each in answers)))

    def _probed(self) -> Traits:
        stored = None if self.settings.mode == "off" else self.cache.traits(self.model)
        if stored is not None:
            return Traits(**stored)
        if self.settings.mode == "replay":
            raise UserError(f"{self.settings.cache} knows nothing of {self.settings.model}", "type lm.mode=readwrite to ask it")

        def ask(request: Request) -> Answer | Failure:
            once = request_key(request, os.urandom(8).hex(), "probe")
            (found,) = self.engine.ask({once: request}, self.model, False).values()
            return found

        traits = probe(ask, self.settings.model, self._url(), self.settings.key_variable)
        if self.settings.mode != "off":
            self.cache.put_traits(self.model, asdict(traits))
        return traits

    def _url(self) -> str:
        return self.settings.server.start() if self.settings.server else self.settings.base_url


def _without_seed(request: Request) -> Request:
    return request._replace(body={name: value for name, value in request.body.items() if name != "seed"})
