"""A thousand faults: no exception escapes, each row has an answer or is NaN and counted, and no budget is passed."""

import asyncio
import random
import socket
import threading
from contextlib import suppress

import numpy as np
import openai
import pytest

from feedback.lm.accounting.budget import Budget, Cost
from feedback.lm.accounting.gate import Gate
from feedback.lm.accounting.limits import Bucket, Limits
from feedback.lm.client import LM
from feedback.lm.transport import retries
from feedback.lm.transport.probe import Traits
from feedback.lm.transport.request import Request
from feedback.lm.transport.response import Failure, Reply, read
from qd.types import Spent
from tests.support.endpoint import FAULTS, FINAL, serving

ALL = Traits(logprobs=True, schema="json_schema", completions=True, seed="repeats")
ROWS = 70
SCHEMA = {"type": "object", "properties": {"mood": {"enum": ["glad", "grim"]}}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.002)
    monkeypatch.setattr(retries, "_LONGEST", 0.01)


def client(server, **settings) -> LM:
    limits = {"concurrency": 48, "timeout": 20.0, "deadline": 60.0, "attempts": 6} | settings.pop("limits", {})
    return LM(**({"model": "m", "base_url": server.url, "traits": ALL, "limits": limits} | settings))


@pytest.mark.slow
def test_a_thousand_faults_of_every_kind():
    draw = random.Random(0)
    slow, final, crowd = ("timeout", "drip"), FINAL, ("429", "429 after", "429 date")
    weights = [0.1 if fault in slow else 0.25 if fault in (*final, *crowd) else 1 for fault in FAULTS]
    mixed = draw.choices(FAULTS, weights, k=20_000)
    lucky = [draw.random() < 0.2 for _ in range(20_000)]
    with serving(lambda n, body: "" if lucky[n] else mixed[n], slow=1.0) as server:
        lm, rows = client(server, limits={"timeout": 0.7}), {}
        for stretch in range(20):
            names = [f"{stretch} {i}" for i in range(ROWS)]
            rows["writer"] = rows.get("writer", []) + [text is None for text in lm(names, role="writer")]
            rows["mood"] = rows.get("mood", []) + [value is None for value in lm.generate_json(names, SCHEMA, role="mood")]
            scores = lm.label_scores([f"{name}: yes or no?" for name in names], ("yes", "no"), role="judge")
            silent = np.isnan(scores.probabilities).all(axis=1)
            rows["judge"] = rows.get("judge", []) + silent.tolist()
            np.testing.assert_allclose(scores.probabilities[~silent].sum(axis=1), 1)
            expected = lm.rating([f"{name}: from 1 to 9?" for name in names], role="rater")
            rows["rater"] = rows.get("rater", []) + np.isnan(expected).tolist()
            assert ((expected[~np.isnan(expected)] >= 1) & (expected[~np.isnan(expected)] <= 9)).all()
            if sum(server.faults.values()) >= 1_000:
                break
        report = {row["role"]: row for row in lm.report()}
    assert sum(server.faults.values()) >= 1_000 and set(server.faults) == set(FAULTS)
    assert sum(row["calls"] for row in report.values()) >= len(
        server.requests
    )  # what a busy machine does not take in counts too
    for role, failed in rows.items():
        assert len(failed) == (stretch + 1) * ROWS and 0 < sum(failed) < len(failed)
    assert report["writer"]["failed"] == sum(rows["writer"])
    wrong = server.faults["wrong labels"]  # a whole answer, which is no answer to that question
    assert sum(rows["judge"]) - wrong <= report["judge"]["failed"] <= sum(rows["judge"])
    assert sum(sum(row["why"].values()) for row in report.values()) >= sum(server.faults.values()) - wrong


def test_no_budget_is_passed_among_faults():
    draw = random.Random(1)
    with serving(lambda n, body: draw.choice(["", "500", "cut", "truncated", "429", "null"])) as server:
        for budget in ({"calls": 150}, {"tokens": 9_000}):
            lm, before = client(server, budget=budget, max_tokens=40), len(server.requests)
            with pytest.raises(Spent):
                for stretch in range(50):
                    lm([f"{budget} {stretch} {i}" for i in range(40)], role="writer")
            (row,) = lm.report()
            assert len(server.requests) - before <= row["calls"]
            total = {"calls": row["calls"], "tokens": row["tokens_in"] + row["tokens_out"]}
            (name, limit), = budget.items()  # fmt: skip
            assert 0.8 * limit < total[name] <= limit


AGAIN, ONCE = ("500", "429", "cut", "truncated", "html", "no choices", "null"), ("refusal", "overflow", "quota")


@pytest.mark.parametrize(("fault", "calls"), [*((fault, 6) for fault in AGAIN), *((fault, 1) for fault in ONCE)])
def test_what_is_asked_again_and_what_not(fault, calls):
    with serving(lambda n, body: fault) as server:
        lm = client(server)
        assert lm(["x"]) == [None] and len(server.requests) == calls
        assert lm.report()[0]["failed"] == 1


@pytest.mark.parametrize("fault", ["timeout", "drip"])
def test_slow_answers_end_with_the_deadline(fault):
    with serving(lambda n, body: fault, slow=3.0) as server:
        lm = client(server, limits={"timeout": 0.2, "deadline": 0.5})
        assert lm(["x"]) == [None] and 1 <= len(server.requests) <= 3
        (row,) = lm.report()
        assert row["why"] == {"timeout": row["calls"]} and row["tokens_out"] > 0  # charged: who knows


def test_after_a_crowd_the_window_shrinks_and_grows_again():
    with serving(lambda n, body: "429" if n < 40 else "", latency=0.005) as server:
        lm = client(server, limits={"concurrency": 32})
        lm([f"first {i}" for i in range(32)])
        gate = lm._session.engine._gate
        low = gate.window
        assert 1 <= low < 32
        lm([f"then {i}" for i in range(120)])
        assert gate.window > low and gate.flying == 0 and gate.reserved == Cost()


def test_retry_after_is_honoured_and_capped():
    headers = {"5": 5.0, "0.5": 0.5, "soon": None, "-3": None, "inf": None, "Mon, 01 Jan 2024 00:00:00 GMT": 0.0}
    for header, seconds in headers.items():
        assert retries._retry_after({"retry-after": header}) == seconds
    assert retries._retry_after({"retry-after-ms": "1500"}) == 1.5 and retries._retry_after({}) is None
    failure = Failure("429", again=True, after=1e6)
    assert 60 <= retries.pause(failure, 3) <= 61
    pauses = [retries.pause(Failure("500", again=True), attempt) for attempt in range(8) for _ in range(50)]
    assert min(pauses) >= 0 and max(pauses) <= retries._LONGEST and len(set(pauses)) == len(pauses)


def test_errors_of_every_make_are_read():
    assert retries.failure(TimeoutError()).kind == "timeout"
    assert retries.failure(ConnectionResetError("gone")) == Failure("cut", "ConnectionResetError: gone", again=True)
    assert issubclass(openai.APIStatusError, openai.OpenAIError)


BODIES = (
    "", "null", "[]", "1", "{}", '{"choices": null}', '{"choices": [1]}', '{"choices": [{}]}',
    '{"choices": [{"message": null}]}',
    '{"choices": [{"message": {"content": 3}}]}', "[" * 100_000, '{"choices": ' + "[" * 100_000,
    '{"error": "overloaded"}', "\ud800", "<!DOCTYPE html>",
    '{"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{}]}}]}', '{"choices": [{"message": {"conte',
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_whatever_a_body_holds_it_is_a_failure(body):
    request = Request("chat/completions", {"messages": [], "logprobs": True}, "")
    assert isinstance(read(request, body), Failure)


def test_an_answer_without_usage_is_charged_for_the_most_it_can_have_been():
    request = Request("chat/completions", {"messages": [{"role": "user", "content": "häh"}], "max_tokens": 9}, "")
    reply = read(request, '{"choices": [{"message": {"content": "four"}, "finish_reason": "stop"}]}')
    assert isinstance(reply, Reply) and (reply.tokens_in, reply.tokens_out) == (4 + 32, 5)


def test_buckets_hold_the_rate():
    bucket, now, taken = Bucket(600, 0.0), 0.0, 0
    while now < 60:
        wait = bucket.wait(1, now)
        if wait == 0:
            bucket.take(1)
            taken += 1
        now += max(wait, 1e-4)
    assert 600 <= taken <= 600 + bucket.room + 1
    assert Bucket(None, 0.0).wait(1e9, 0.0) == 0
    large = Bucket(60, 0.0)
    large.take(100)  # more than it ever holds: owed
    assert large.wait(1, 0.0) == pytest.approx(95)


@pytest.mark.ci
def test_requests_and_tokens_are_paced():
    async def paced(limits: Limits, calls: int) -> float:
        gate = Gate(limits, Budget(), Cost(), asyncio.get_running_loop().time())
        start = asyncio.get_running_loop().time()
        for _ in range(calls):
            entered = await gate.enter(Cost(1, 10, 10))
            gate.leave(entered, Cost(1, 10, 10), Cost(1, 10, 0), None)
        return asyncio.get_running_loop().time() - start

    assert asyncio.run(paced(Limits(requests_per_minute=1200), 140)) >= 0.9 * (140 - 120) / 20
    assert asyncio.run(paced(Limits(tokens_per_minute=12_000), 140)) >= 0.9 * (1400 - 1200) / 200
    assert asyncio.run(paced(Limits(), 140)) < 0.5


GARBAGE = {
    "no http": b"what?\r\n\r\n",
    "bad gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/v1\r\nContent-Length: 0\r\n\r\n",
    "odd charset": b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=klingon\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "odd error": b"HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\n[1, 2, {}",
    "deep error": b"HTTP/1.1 500 Bad\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    "odd date": b"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 99 Foo 99999 99:99:99 GMT\r\nContent-Length: 0\r\n\r\n",
    "surrogates": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    + b'{"choices": [{"message": {"content": "a\\ud800"}, "finish_reason": "\\udfff"}], "x": 0}'.ljust(99),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_whatever_bytes_come_back_no_exception_escapes(name):
    def serve(taken: socket.socket) -> None:
        with taken:
            taken.recv(65_536)
            taken.sendall(GARBAGE[name])

    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    serve(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        lm = LM(model="m", base_url=url, traits=ALL, limits={"attempts": 2, "timeout": 20})
        assert lm(["x", "y"]) == (["a\ufffd"] * 2 if name == "surrogates" else [None, None])
        lm.close()
