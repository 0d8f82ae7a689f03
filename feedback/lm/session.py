"""The state of one client: cache, ledger, engine and the endpoint's traits, each built once, when it is first needed."""

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from feedback.lm.accounting.budget import Cost, price
from feedback.lm.accounting.cache import Cache
from feedback.lm.accounting.ledger import Ledger
from feedback.lm.engine import Engine
from feedback.lm.settings import ClientSettings
from feedback.lm.transport import pictures
from feedback.lm.transport.logprobs import find_fault
from feedback.lm.transport.probe import Traits, probe, probe_manners
from feedback.lm.transport.request import Request, hash_seed, request_key
from feedback.lm.transport.response import Failure, Reply
from qd.support import run_files
from qd.support.errors import UserError


class Session:
    """Safe to use from several threads: each part is built under a lock."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._cache: Cache | None = None
        self._ledger: Ledger | None = None
        self._engine: Engine | None = None
        self._traits: Traits | None = None
        self._lacks_manners = False
        self._model = ""

    def ask(self, batch: Sequence[Request]) -> list[Reply | Failure]:
        """Answers requests from the cache and the endpoint, in their order, each question once."""
        keys = [request_key(request, self.model, self.settings.prompt_version) for request in batch]
        questions = {key: request for key, request in zip(keys, batch, strict=True) if not request.empty}
        results: dict[bytes, Reply | Failure] = dict(self._find_recorded(list(questions)))
        if self.settings.mode == "replay":
            results |= self._find_earlier({key: request for key, request in questions.items() if key not in results})
        results = self._without_bad_logprobs(questions, results)
        self._note_cached(batch, [results[key] for key in keys if key in results])
        missing = {key: request for key, request in questions.items() if key not in results}
        if missing and self.settings.mode == "replay":
            results |= self._replay_failures(missing)
        elif missing:
            calls = self._adapted(missing)  # before anything else, since it may raise
            results |= self.engine.ask(calls, self.model, self.settings.mode != "off")
        nothing = Failure("empty prompt", may_cost=False)
        for key, request in zip(keys, batch, strict=True):
            result = results.get(key, nothing)
            if isinstance(result, Failure):
                self.ledger.note_failure(request.role, key, result.kind)
        return [results.get(key, nothing) for key in keys]

    def _adapted(self, questions: dict[bytes, Request]) -> dict[bytes, Request]:
        """Returns requests in the endpoint's own form, which its probe finds; requests for pictures have one form only."""
        if all(request.path == pictures.PATH for request in questions.values()):
            return questions
        traits = self._complete_traits()
        return {key: traits.adapt(request, self.settings.reasoning_tokens) for key, request in questions.items()}

    def note_failures(self, batch: Sequence[Request], kind: str) -> None:
        """Counts requests as failed: each reply can be, and all of them together cannot.

        Args:
            batch: the requests.
            kind: of the failure.
        """
        for request in batch:
            self.ledger.note_failure(request.role, request_key(request, self.model, self.settings.prompt_version), kind)

    def request(self, path: str, body: dict[str, Any], role: str, sample: int, schema: dict[str, Any] | None = None) -> Request:
        """Builds a complete request; above temperature 0 it has a seed of its own.

        Args:
            path: chat/completions or completions.
            body: the question and its options.
            role: the component that calls.
            sample: which of several answers to the same question.
            schema: of an answer in JSON.

        Returns:
            The request before the endpoint's traits adapt it; its key is of this form.
        """
        body = {"model": self.settings.model} | body | dict(self.settings.extra)
        if (body.get("temperature") or 0) > 0:
            body["seed"] = hash_seed(self.settings.seed, path, body, sample)
        server = self.settings.server
        body = dict(server.extra) | body if server else body  # after the seed, which is of the question alone
        return Request(path, body, role, sample, schema, "none" if self.settings.reasoning == "none" else "auto")

    def close(self) -> None:
        with self._lock:
            for each in (self._engine, self._ledger, self._cache):
                if each is not None:
                    each.close()
            self._engine = self._ledger = self._cache = None

    @property
    def traits(self) -> Traits:
        with self._lock:
            if self._traits is None:
                traits = self.settings.traits if isinstance(self.settings.traits, Traits) else self._probe_traits()
                self._traits = self._with_settings(traits)
            return self._traits

    @property
    def model(self) -> str:
        """The model's fingerprint, part of every key."""
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
                prices = price(self.settings.price, self.settings.is_here, self.settings.model)
                self._engine = Engine(self._url, secret, prices, *self.settings.bounds, self.cache, self.ledger)
            return self._engine

    def _find_recorded(self, keys: list[bytes]) -> dict[bytes, Reply]:
        if self.settings.mode == "off":
            return {}
        if self.settings.mode == "record":  # the answers that this run recorded before an interruption are not requested again
            keys = [key for key in keys if key.hex() in self.ledger.keys]
        return self.cache.find(keys)

    def _without_bad_logprobs(
        self, questions: dict[bytes, Request], results: dict[bytes, Reply | Failure]
    ) -> dict[bytes, Reply | Failure]:
        """Returns the results without log-probabilities that cannot be, which earlier versions stored; a replay fails there."""
        faults = {
            key: fault
            for key, result in results.items()
            if isinstance(result, Reply) and (fault := find_fault(questions[key], result.logprobs))
        }
        if self.settings.mode == "replay":
            return results | {key: Failure("bad log-probabilities", fault) for key, fault in faults.items()}
        return {key: result for key, result in results.items() if key not in faults}

    def _find_earlier(self, missing: dict[bytes, Request]) -> dict[bytes, Reply | Failure]:
        """Returns the recordings of an earlier version, which sent the calls of our own server without ``Server.extra``."""
        extra = self.settings.server.extra if self.settings.server else {}
        if not extra or not missing:
            return {}
        keys: dict[bytes, bytes] = {}
        for key, request in missing.items():
            body = {name: value for name, value in request.body.items() if name not in extra}
            keys[request_key(request._replace(body=body), self.model, self.settings.prompt_version)] = key
        results: dict[bytes, Reply | Failure] = self.cache.find_failures(keys) | self.cache.find(keys)
        return {keys[earlier]: result for earlier, result in results.items()}

    def _replay_failures(self, missing: dict[bytes, Request]) -> dict[bytes, Failure]:
        failures = self.cache.find_failures(missing)
        no_answers = [request for key, request in missing.items() if key not in failures]
        if no_answers:
            raise UserError(
                f"{len(no_answers)} of {len(missing)} questions have no answer in "
                f"{self.settings.cache or 'a cache in memory'}, and lm.mode=replay makes no calls "
                f"(the first is {no_answers[0].role or 'a'} prompt {str(no_answers[0].body)[:120]!r})",
                "type lm.mode=readwrite",
            )
        return failures

    def _note_cached(self, batch: Sequence[Request], results: list[Reply | Failure]) -> None:
        answers = [each for each in results if isinstance(each, Reply)]
        if answers:
            tokens_in, tokens_out = sum(each.tokens_in for each in answers), sum(each.tokens_out for each in answers)
            self.ledger.note_cached(
                batch[0].role, len(answers), Cost(0, tokens_in, tokens_out, sum(each.money for each in answers))
            )

    def _probe_traits(self) -> Traits:
        values = None if self.settings.mode == "off" else self.cache.traits(self.model)
        if values is not None:
            self._lacks_manners = "token_limit" not in values  # an earlier version wrote them
            return Traits(**values)
        if self.settings.mode == "replay":
            raise UserError(f"{self.settings.cache} has no answers of {self.settings.model}", "type lm.mode=readwrite")
        return self._store_traits(probe(*self._probe_arguments(Traits())))

    def _complete_traits(self) -> Traits:
        """Returns the traits with those that an earlier version did not probe; this needs the endpoint, so it is done late."""
        with self._lock:
            traits = self.traits
            if self._lacks_manners:
                traits = self._with_settings(self._store_traits(probe_manners(*self._probe_arguments(traits))))
                self._traits, self._lacks_manners = traits, False
            return traits

    def _with_settings(self, traits: Traits) -> Traits:
        """Returns the traits with the settings applied; a reasoning model's first token is not part of its answer."""
        reasoning, limit = self.settings.reasoning, self.settings.token_limit
        traits = traits if limit == "auto" else replace(traits, token_limit=limit)
        if reasoning == "auto":
            return traits
        return replace(traits, reasoning=reasoning, logprobs=traits.logprobs and reasoning == "none")

    def _probe_arguments(self, start: Traits) -> tuple[Any, ...]:
        def ask(request: Request) -> Reply | Failure:
            once = request_key(request, os.urandom(8).hex(), "probe")
            (result,) = self.engine.ask({once: request}, self.model, False).values()
            return result

        url = self._url()
        return ask, self.settings.model, url, self.settings.key_variable, self._with_settings(start), dict(self.settings.extra)

    def _store_traits(self, traits: Traits) -> Traits:
        if self.settings.mode != "off":
            self.cache.put_traits(self.model, asdict(traits))
        return traits

    def _url(self) -> str:
        return self.settings.server.start() if self.settings.server else self.settings.base_url
