"""Right values where an endpoint, its model or the disk misbehaves: nothing wrong becomes an answer, nothing paid is lost."""

import asyncio
import gzip
import importlib.util
import itertools
import json
import sqlite3
import time

import numpy as np
import pytest

from feedback.lm.accounting.ledger import Ledger
from feedback.lm.client import LM
from feedback.lm.scoring.labels import by_likelihood
from feedback.lm.transport import retries
from feedback.lm.transport.capped import TooLargeError, cap
from feedback.lm.transport.probe import Traits
from feedback.lm.transport.request import Request
from feedback.lm.transport.response import Failure, Reply, read, without_thinking
from qd.support import sqlite
from tests.support.endpoint import serving

httpx = importlib.import_module("httpx2" if importlib.util.find_spec("httpx2") else "httpx")  # whichever the openai package has

ALL = Traits(logprobs=True, schema="json_schema", completions=True, seed="repeats")
CHAT = Request("chat/completions", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}, "")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.005)


def client(server, **settings) -> LM:
    return LM(**({"model": "m", "base_url": server.url, "traits": ALL} | settings))


class Own:
    """A server of our own, with llama.cpp's habit: it reuses what the last prompt left, unless it is forbidden to."""

    fingerprint, extra = "own", {"cache_prompt": False}

    def __init__(self, server):
        self.server = server

    def start(self):
        return self.server.url


# --- prompts that llama.cpp's server remembers


def judge(lm, prompts):
    return lm.label_scores([f"{prompt}: yes or no?" for prompt in prompts], ("yes", "no")).probabilities[:, 0]


def test_our_own_server_answers_the_same_whatever_was_asked_before():
    prompts = [f"{'a long story ' * 40}{i}" for i in range(4)]
    with serving(llama=True) as server:
        one = judge(LM(model="m", server=Own(server), traits=ALL), prompts)
        other = judge(LM(model="m", server=Own(server), traits=ALL), prompts[::-1])[::-1]
        np.testing.assert_array_equal(one, other)
        assert all(body["cache_prompt"] is False for body in server.requests)


def test_a_cut_off_run_on_a_remembering_server_ends_as_an_uncut_one(tmp_path):
    prompts = [f"{'a long story ' * 40}{i}" for i in range(6)]
    with serving(llama=True) as server:
        whole = judge(client(server, traits=None, limits={"concurrency": 1}), prompts)
        for half in (prompts[:3], prompts):  # the second process takes three from the cache and asks for three
            lm = client(server, traits=None, limits={"concurrency": 1}, cache=str(tmp_path / "lm.sqlite"))
            resumed = judge(lm, half)
            lm.close()
            client(server)(["something else"])
        np.testing.assert_array_equal(whole, resumed)
        assert lm.endpoint_traits.cache_prompt


def test_only_servers_that_know_cache_prompt_are_sent_it():
    with serving() as server:
        lm = client(server, traits=None)
        lm(["x"])
        assert not lm.endpoint_traits.cache_prompt and not any("cache_prompt" in body for body in server.requests)


def test_traits_of_an_earlier_version_are_completed_and_its_answers_stay(tmp_path):
    path = str(tmp_path / "lm.sqlite")
    with serving(llama=True) as server:
        lm = client(server, cache=path)
        texts = lm(["a"])
        old = {"logprobs": True, "echo": False, "schema": "json_schema", "completions": True, "seed": "repeats"}
        lm._session.cache.put_traits(lm._session.model, old)
        lm.close()
        lm = client(server, cache=path, traits=None)
        assert lm(["a"]) == texts and len(server.requests) == 1  # nothing but the cache answers
        lm(["b"])
        assert lm.endpoint_traits.cache_prompt and len(server.requests) == 3
        assert server.requests[-1]["cache_prompt"] is False
        lm.close()
        client(server, cache=path, traits=None)(["c"])
        assert len(server.requests) == 4


def test_keys_are_those_of_earlier_versions():
    from feedback.lm.transport.request import request_key

    with serving() as server:
        request = client(server, traits=None)._session.request(
            "chat/completions", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 7, "temperature": 0.0}, "r", 2
        )
    assert request.body == {
        "model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 7, "temperature": 0.0
    }  # fmt: skip
    assert request_key(request, "f", "1").hex() == "c0d1d43c8448e0cf1f845a0f06ad5b8601d209d2b8bf4f78930e83111fa258a0"


def test_recordings_of_earlier_versions_are_replayed(tmp_path):
    """They have our own server's answers under keys without cache_prompt."""
    path = str(tmp_path / "lm.sqlite")
    with serving(lambda n, body: "refusal" if "bad" in str(body) else "") as server:
        own = Own(server)
        own.extra = {}
        settings = {"model": "m", "traits": ALL, "cache": path}
        texts = LM(server=own, **settings)(["a", "bad", "c"])
        assert texts[1] is None and LM(server=Own(server), mode="replay", **settings)(["a", "bad", "c"]) == texts
        calls = len(server.requests)
        LM(server=Own(server), **settings)(["a"])
        assert len(server.requests) == calls + 1  # any other mode asks the server again


# --- models that think first


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<think>hm\n</think>\n\nA tale.", "A tale."),
        ("hm, so\n</think>\nA tale.", "A tale."),
        ("\n<THINK></THINK>A tale.", "A tale."),
        ("[THINK]hm[/THINK]A tale.", "A tale."),
        ("<think>hm", None),
        ("A tale of <think> and more.", "A tale of <think> and more."),
        ("Say <think>x</think> aloud.", "Say <think>x</think> aloud."),
        ("A tale.\n", "A tale.\n"),
        ("<think>a <think>b</think> c</think> answer", "answer"),
        ("<think>a <think>b</think> answer", "answer"),  # the second tag is mentioned only
        ("<think>a</think>\n<think>b</think>answer", "answer"),
        ("\ufeff \n<think>a</think>b", "b"),
        ("<think>no </thought> here</think>b", "b"),
        ("◁think▷a◁/think▷b", "b"),
        ("<seed:think>a</seed:think>b", "b"),
        ("<|begin_of_thought|>a<|end_of_thought|>b", "b"),
        ("<|START_THINKING|>a<|END_THINKING|>b", "b"),
        ("◁think▷a", None),
        ("<|channel|>analysis<|message|>hm<|channel|>final<|message|>answer", "answer"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>{}<|return|>",
            "{}",
        ),
        ("<|channel|>final<|message|>answer", "answer"),
        ("<|channel|>analysis<|message|>hm", None),
        ("A poem with </thought> inside, the end", "A poem with </thought> inside, the end"),
        ("A poem with </think> inside, the end", "A poem with </think> inside, the end"),
        ("Say <think>\n</think>\naloud.", "Say <think>\n</think>\naloud."),
        ("It has <|channel|>final<|message|> in it", "It has <|channel|>final<|message|> in it"),
    ],
)
def test_thinking_is_cut_off_a_text(text, rest):
    assert without_thinking(text) == rest


def test_a_closing_tag_alone_ends_thinking_where_the_template_opens_it():
    assert without_thinking("hm</think>b", is_opened=True) == "b"
    assert without_thinking("a <think>b</think> c</think> answer", is_opened=True) == "answer"
    assert without_thinking("Say <think>x</think> aloud.", is_opened=True) == "Say <think>x</think> aloud."
    assert without_thinking("<think>a <think>b</think> c", is_cut=True) is None
    body = '{"choices": [{"message": {"content": "hm</think>b"}, "finish_reason": "stop"}]}'
    texts = {how: read(CHAT._replace(reasoning=how), body).text for how in ("auto", "apart", "none", "tags")}
    assert texts == {"auto": "hm</think>b", "apart": "hm</think>b", "none": "hm</think>b", "tags": "b"}
    probed = read(CHAT._replace(role="probe"), body)
    assert probed.text == "b" and probed.reasoning == "tags"


def test_thinking_is_cut_off_a_completion():
    raw = Request("completions", {"prompt": "a", "max_tokens": 9}, "")

    def reply(request, text, finish="stop"):
        return read(request, json.dumps({"choices": [{"text": text, "finish_reason": finish}]}))

    assert reply(raw, "<think>a</think>b").text == "b" and reply(raw, "<think>a</think>b").reasoning == "tags"
    assert reply(raw, "\0<think>a</think>b").text == "b"
    assert reply(raw, "<think>a", "length").kind == "reasoning cut"
    assert reply(raw._replace(reasoning="none"), "<think>a</think>b").text == "<think>a</think>b"
    assert reply(raw._replace(reasoning="tags"), " four, five", "length").text == " four, five"
    assert reply(raw._replace(body=raw.body | {"echo": True}), "<think>a</think>b").text == "<think>a</think>b"


@pytest.mark.parametrize("how", ["tags", "tags open", "apart"])
def test_thinking_is_no_solution(how):
    with serving(thinks=how, thinking=40) as server:
        lm = client(server, traits=None, max_tokens=64)
        texts = lm(["a", "b"])
        assert lm.endpoint_traits.reasoning == how.split()[0] and not lm.endpoint_traits.logprobs
        assert all(text.startswith("answer ") and "hm" not in text for text in texts)
        assert server.requests[-1]["max_tokens"] == 64 + 2048
        assert np.isfinite(judge(lm, ["a good text", "a bad one"])).all()  # rated in JSON


@pytest.mark.parametrize("how", ["tags", "apart"])
def test_thinking_that_is_cut_is_a_failure_that_says_so(how):
    with serving(thinks=how, thinking=400) as server:
        lm = client(server, traits=None, max_tokens=64, reasoning_tokens=100)
        assert lm.endpoint_traits.reasoning == how  # the endpoint is not refused for it
        assert lm(["a"], role="writer") == [None]
        (row,) = (row for row in lm.report() if row["role"] == "writer")
        assert row["why"] == {"reasoning cut": 1} and row["tokens_out"] == 164
        assert lm(["a"]) == [None] and client(server, traits=None, reasoning_tokens=400)(["a"]) != [None]


def test_thinking_by_setting():
    with serving(thinks="tags", thinking=5) as server:
        assert client(server, reasoning="none")(["a"])[0].startswith("<think>")
        lm = client(server, reasoning="tags", reasoning_tokens=50, max_tokens=20)
        assert lm(["a"])[0].startswith("answer ") and server.requests[-1]["max_tokens"] == 70
    with serving() as server:
        cut = '{"choices": [{"message": {"content": "still at it"}, "finish_reason": "length"}]}'
        assert isinstance(read(CHAT, cut), Reply)
        assert read(CHAT._replace(reasoning="tags"), cut).kind == "reasoning cut"
    with pytest.raises(ValueError, match="unknown lm.reasoning 'deep'; type auto, none, tags or apart"):
        LM(model="m", base_url="http://127.0.0.1:1/v1", reasoning="deep")


def test_content_in_parts_is_read():
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A tale."}]
    reply = read(CHAT, json.dumps({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}))
    assert isinstance(reply, Reply) and reply.text == "A tale." and reply.reasoning == "apart" and reply.tokens_out == 9


def test_models_that_want_max_completion_tokens_and_no_temperature():
    with serving(modern=True) as server:
        lm = client(server, traits=None, max_tokens=30)
        assert lm(["a"])[0].startswith("answer ")
        assert lm.endpoint_traits.token_limit == "max_completion_tokens" and lm.endpoint_traits.refuses == ("temperature",)
        body = server.requests[-1]
        assert body["max_completion_tokens"] == 30 and "max_tokens" not in body and "temperature" not in body
        by_hand = client(server, traits=Traits(refuses=("temperature",)), token_limit="max_completion_tokens", max_tokens=30)
        assert by_hand(["a"])[0].startswith("answer ")
        with_extra = client(server, traits=Traits(refuses=("temperature",)), extra={"max_completion_tokens": 40})
        assert with_extra(["a"])[0].startswith("answer ") and server.requests[-1]["max_completion_tokens"] == 40
        nothing = client(server, traits=Traits(), extra={"max_tokens": None, "max_completion_tokens": 40, "temperature": None})
        assert nothing(["a"])[0].startswith("answer ")


# --- what cannot be kept


def fill(lm, pages: int = 0) -> None:
    """Leaves the cache's disk so many more pages."""
    db = lm._session.cache._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + pages}")


def test_a_full_disk_stops_the_calls_and_loses_no_answer(tmp_path):
    with serving(latency=0.01) as server:
        lm = client(server, cache=str(tmp_path / "lm.sqlite"), limits={"concurrency": 4})
        lm(["first"])
        fill(lm, 2)
        prompts = [f"{i} {'x' * 2000}" for i in range(60)]
        with pytest.raises(ValueError, match=r"lm.sqlite takes no more answers .*full.*free space on its disk"):
            lm(prompts)
        calls = len(server.requests)
        assert calls <= 12  # those in flight, and no more
        with pytest.raises(ValueError, match="free space"):
            lm(prompts)
        assert len(server.requests) == calls  # nothing is billed while nothing can be kept
        lm._session.cache._db.execute("PRAGMA max_page_count = 100000")
        assert None not in lm(prompts) and len(server.requests) == 61  # no answer was asked for twice
        assert lm._session.engine._gate.flying == 0
    rows = sqlite3.connect(tmp_path / "lm.sqlite").execute("SELECT count(*) FROM answers").fetchone()
    assert rows == (61,)


def test_a_full_disk_under_the_ledger_sends_nothing(tmp_path, monkeypatch):
    with serving() as server:
        lm = client(server, folder=str(tmp_path))
        lm(["a"])
        real = lm._session.ledger._file

        class Full:
            name, fileno, truncate = real.name, real.fileno, real.truncate

            def write(self, data):
                return real.write(data[:5])

        lm._session.ledger._file = Full()
        with pytest.raises(ValueError, match="cannot be written .No space left on device.*free space"):
            lm(["b"])
        assert len(server.requests) == 1
        lm._session.ledger._file = real
        assert lm(["b"]) != [None] and lm._session.engine._gate.flying == 0
        lm.close()
    (path,) = (tmp_path / "lm").glob("*.jsonl")
    assert Ledger(path).report()[0]["calls"] == 2  # no half line is left


@pytest.mark.parametrize("usage", [2**63, 10**15, -5, 10**40])
def test_an_absurd_usage_is_not_believed(usage, tmp_path):
    with serving(usage={"prompt_tokens": usage, "completion_tokens": 3}) as server:
        lm = client(server, cache=str(tmp_path / "lm.sqlite"))
        texts = lm(["a", "b"])
        assert None not in texts and lm(["a", "b"]) == texts and len(server.requests) == 2
        (row,) = lm.report()
        assert row["tokens_in"] == 2 * (1 + 32) and row["tokens_out"] == sum(len(text) + 1 for text in texts)
        lm.close()
        assert client(server, cache=str(tmp_path / "lm.sqlite"), mode="replay")(["a", "b"]) == texts


WORST = 2 + 32, len("four") + 1  # tokens in and out that CHAT and its answer "four" can have at most


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        *((text, WORST) for text in ("null", "{}", "7", "true", '"none"', "[1]", "[]", "NaN")),
        *((f'{{"prompt_tokens": {value}}}', WORST) for value in ("null", "1e400", "NaN", '"a"', "true", "[]", "-1", "2.5")),
        (f'{{"prompt_tokens": {"9" * 5000}}}', WORST),
        ('{"prompt_tokens": 5, "completion_tokens": NaN}', WORST),
        ('{"total_tokens": 5}', WORST),
        ('{"input_tokens": 5, "output_tokens": 3}', WORST),
        ('{"prompt_tokens": 5}', (5, WORST[1])),
        ('{"prompt_tokens": 5, "completion_tokens": null}', (5, WORST[1])),
        ('{"completion_tokens": 3}', (WORST[0], 3)),
        ('{"prompt_tokens": 5, "total_tokens": 8}', (5, 3)),
        ('{"prompt_tokens": 5, "total_tokens": 5}', (5, WORST[1])),
        ('{"prompt_tokens": 5, "total_tokens": "8"}', (5, WORST[1])),
        ('{"prompt_tokens": 5.0, "completion_tokens": 3, "total_tokens": 8}', (5, 3)),
        ('{"prompt_tokens": 5, "completion_tokens": 0}', (5, 0)),
    ],
)
def test_an_odd_usage_costs_the_most_and_not_the_answer(usage, tokens):
    reply = read(CHAT, f'{{"choices": [{{"message": {{"content": "four"}}, "finish_reason": "stop"}}], "usage": {usage}}}')
    assert isinstance(reply, Reply) and reply.text == "four" and (reply.tokens_in, reply.tokens_out) == tokens


def test_a_transaction_that_fails_leaves_the_database_usable(tmp_path):
    db = sqlite.connect(tmp_path / "x", 1, lambda db: db.execute("CREATE TABLE t (a INTEGER)"), 1.0)
    with pytest.raises(OverflowError), sqlite.transaction(db):
        db.execute("INSERT INTO t VALUES (?)", (2**63,))
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite3.OperationalError, match="full"), sqlite.transaction(db):
        db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(100_000)])
    db.execute("PRAGMA max_page_count = 100000")
    with sqlite.transaction(db):
        db.execute("INSERT INTO t VALUES (1)")
    assert db.execute("SELECT a FROM t").fetchall() == [(1,)]


# --- bodies, deadlines, log-probabilities


@pytest.mark.parametrize("fault", ["endless", "bomb", "large", "endless 500"])
def test_a_body_without_end_is_a_failure_in_little_time_and_memory(fault):
    import tracemalloc

    with serving(lambda n, body: fault) as server:
        lm = client(server, limits={"response_mb": 1.0, "timeout": 20.0, "attempts": 2})
        tracemalloc.start()
        start = time.monotonic()
        assert lm(["x"], role="writer") == [None]
        assert time.monotonic() - start < 15
        assert tracemalloc.get_traced_memory()[1] < 80e6  # the endpoint's own blocks are in it
        tracemalloc.stop()
        assert lm.report()[0]["why"] == {"too large": 1} and len(server.requests) == 1


def read_capped(most: int, blocks, encoding: str = "gzip") -> bytes:
    """Returns the body of a response that arrives in blocks, read by the hook."""

    class Blocks(httpx.AsyncByteStream):
        async def __aiter__(self):
            for block in blocks:
                yield block

    response = httpx.Response(200, headers={"content-encoding": encoding}, stream=Blocks())
    asyncio.run(cap(most)(response))
    return response.read()


def test_bytes_after_the_packed_data_count_too():
    taken = []

    def endless(block: bytes, times: int):
        for _ in range(times):
            taken.append(len(block))
            yield block

    start = gzip.compress(b"{}")
    for block, times in ((bytes(65_536), 1_300), (start * 500, 200)):  # 80 MB of zeros; 100,000 members
        taken.clear()
        with pytest.raises(TooLargeError):
            read_capped(1_000_000, itertools.chain([start], endless(block, times)))
        assert sum(taken) <= 1_000_000 + len(block)
    assert read_capped(1_000_000, [start, bytes(9), start]) == b"{}"
    assert read_capped(1_000_000, [start[:5], start[5:-3], start[-3:]]) == b"{}"
    assert read_capped(100, [bytes(60), bytes(40)], "identity") == bytes(100)
    with pytest.raises(TooLargeError):
        read_capped(100, [bytes(60), bytes(41)], "identity")
    with pytest.raises(TooLargeError):
        read_capped(1_000, [gzip.compress(bytes(1_001))])
    assert read_capped(1_000, [gzip.compress(bytes(1_000))]) == bytes(1_000)


def test_a_packed_answer_is_read():
    with serving(lambda n, body: "gzip") as server:
        assert client(server)(["x"])[0].startswith("answer ")
        assert server.headers[0]["Accept-Encoding"] == "identity"


def test_retry_after_holds_no_call_beyond_the_deadline():
    with serving(lambda n, body: "429 long" if n == 0 else "") as server:
        lm = client(server, limits={"deadline": 0.5, "timeout": 0.5, "concurrency": 1})
        start = time.monotonic()
        texts = lm(["a", "b"])
        assert texts[0] is None and texts[1] is not None and time.monotonic() - start < 5


def chat_with(*values: str) -> str:
    """A chat's body with these log-probabilities of the likeliest tokens."""
    top = ", ".join(f'{{"token": "{token}", "logprob": {value}}}' for token, value in zip("abcdefgh", values, strict=False))
    choice = f'{{"message": {{"content": "a"}}, "logprobs": {{"content": [{{"top_logprobs": [{top}]}}]}}}}'
    return f'{{"choices": [{choice}]}}'


SCORED = CHAT._replace(body=CHAT.body | {"logprobs": True})
NAN_OR_ABOVE = "one of them is NaN or above 0"


@pytest.mark.parametrize(
    "values, fault",
    [
        (["NaN"], NAN_OR_ABOVE),
        (["Infinity"], NAN_OR_ABOVE),
        (["0.7"], NAN_OR_ABOVE),
        (["-1", "NaN"], NAN_OR_ABOVE),
        (["0.0"] * 5, "the likeliest tokens have the probability 5 together"),
        (["-Infinity"] * 3, "the likeliest tokens have the probability 0"),
        (["-Infinity"], "the likeliest tokens have the probability 0"),
        (["-9999"] * 3, "the likeliest tokens have the probability 0"),
        (["-0.5", "-0.5", "-2"], "the likeliest tokens have the probability 1.348 together"),
        (["-0.001", "-4"], "the likeliest tokens have the probability 1.017 together"),
    ],
)
def test_log_probabilities_that_are_none_are_failures(values, fault):
    assert read(SCORED, chat_with(*values)) == Failure("bad log-probabilities", fault, used=(2 + 32, 2))


@pytest.mark.parametrize("values", [["1e-7"], ["0.0"], ["0"], ["-0.7", "-0.7"], ["-1e-4", "-Infinity"], ["0.0", "-9999.0"]])
def test_log_probabilities_that_can_be_are_kept(values):
    reply = read(SCORED, chat_with(*values))
    assert isinstance(reply, Reply) and [p for _, p in reply.logprobs] == [float(value) for value in values]


@pytest.mark.parametrize("value", ["true", "false", '"-0.1"', "null", "[]", "{}"])
def test_a_log_probability_is_a_number(value):
    failure = read(SCORED, chat_with(value))
    assert isinstance(failure, Failure) and failure.kind == "malformed"


@pytest.mark.parametrize(
    "values, fault",
    [
        ("null, NaN", NAN_OR_ABOVE),
        ("null, Infinity", NAN_OR_ABOVE),
        ("null, -1, 0.7", NAN_OR_ABOVE),
        ("null, -1, -Infinity", "a token of the text has the probability 0"),
        ("null, 0.0, 0, 0.0", "each token of the text has the probability 1"),
        ("null, -0.1", ""),
        ("null, 0.0", ""),
        ("null, 0.0, 0.0, -1e-6", ""),
    ],
)
def test_log_probabilities_of_an_echoed_prompt(values, fault):
    echo = Request("completions", {"prompt": "a b", "echo": True, "logprobs": 1, "max_tokens": 1}, "")
    offsets = list(range(values.count(",") + 1))
    result = read(
        echo, f'{{"choices": [{{"text": "a", "logprobs": {{"text_offset": {offsets}, "token_logprobs": [{values}]}}}}]}}'
    )
    if fault:
        assert isinstance(result, Failure) and (result.kind, result.message) == ("bad log-probabilities", fault)
    else:
        assert isinstance(result, Reply) and len(result.logprobs) == len(offsets) - 1


def test_labels_that_exclude_each_other_have_no_more_than_one_together():
    certain, unlikely = [(0, -1.0), (5, 0.0)], [(0, -1.0), (5, -3.0)]
    assert by_likelihood([certain, certain], 5, ("yes", "no")) is None
    assert by_likelihood([certain, [(0, -1.0)]], 5, ("yes", "no")) is None  # no token of its own: its sum would be 0
    shares, mass = by_likelihood([certain, unlikely], 5, ("yes", "no"))
    np.testing.assert_allclose([*shares, mass], [1 / (1 + np.exp(-3)), np.exp(-3) / (1 + np.exp(-3)), 1])
    shares, mass = by_likelihood([certain, certain], 5, ("good", "good for all"))  # one is the beginning of the other
    np.testing.assert_allclose([*shares, mass], [0.5, 0.5, 1])


@pytest.mark.parametrize("echo", [False, True])
def test_zeros_are_no_opinion_of_a_judge(echo, tmp_path):
    traits = ALL if not echo else Traits(logprobs=True, echo=True, completions=True, seed="repeats")
    with serving(zeros=True, echo=echo) as server:
        lm = client(server, traits=traits, cache=str(tmp_path / "lm.sqlite"))
        assert np.isnan(judge(lm, ["a good story"])).all()
        assert sum(row["failed"] for row in lm.report()) > 0
        if not echo:
            assert np.isnan(lm.rating(["a good story, from 1 to 9?"])).all()
        lm.close()


def test_an_endpoint_that_fills_in_zeros_rates_in_json():
    with serving(zeros=True, echo=True) as server:
        lm = client(server, traits=None)
        assert not lm.endpoint_traits.logprobs and not lm.endpoint_traits.echo
        assert np.isfinite(lm.rating(["a good story, from 1 to 9?"])).all()


def test_stored_answers_with_log_probabilities_that_cannot_be_are_not_used(tmp_path):
    """An earlier version stored them."""
    path = str(tmp_path / "lm.sqlite")
    with serving() as server:
        lm = client(server, cache=path)
        right = judge(lm, ["a good story"])
        lm.close()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE answers SET logprobs = ?", [json.dumps([["yes", 0.0], ["no", 0.0], ["maybe", 0.0]])])
        lm = client(server, cache=path, mode="replay")
        assert np.isnan(judge(lm, ["a good story"])).all() and sum(row["failed"] for row in lm.report()) == 1
        lm.close()
        lm = client(server, cache=path)
        np.testing.assert_array_equal(judge(lm, ["a good story"]), right)
        lm.close()
