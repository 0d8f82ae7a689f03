"""The language-model client: what it answers, what it costs, what it keeps, and what it says to bad input."""

import json
import pickle
import threading

import numpy as np
import pytest

from feedback.lm.client import LM
from feedback.lm.transport import retries, schema
from feedback.lm.transport.probe import Traits
from qd.types import Spent
from tests.support.endpoint import reply, serving

ALL = Traits(logprobs=True, schema="json_schema", completions=True, seed="repeats")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.005)


def client(server, **settings) -> LM:
    return LM(**({"model": "m", "base_url": server.url, "traits": ALL} | settings))


def test_answers_come_in_order_and_each_question_is_asked_once():
    with serving() as server:
        lm = client(server)
        prompts = [f"question {i % 50}" for i in range(100)]
        texts = lm(prompts, role="writer")
        assert texts[:50] == texts[50:] and len(set(texts)) == 50 and len(server.requests) == 50
        assert lm(prompts) == texts and len(server.requests) == 50
        rows = {row["role"]: row for row in lm.report()}
        assert rows["writer"]["calls"] == 50 and rows[""]["cached"] == 100
        assert [rows["writer"]["tokens_in"], rows["writer"]["tokens_out"]] == server.used
        one, other = lm(["question 0"], sample=1), lm(["question 0"], sample=[0])
        assert one != other == texts[:1]


def test_the_seed_counts_where_there_is_chance_and_nowhere_else():
    with serving() as server:
        a, b = (client(server, seed=seed) for seed in (0, 1))
        assert a(["x"]) != b(["x"]) and a(["x"], temperature=0.0) == b(["x"], temperature=0.0)
        assert a(["x"]) == client(server, seed=0)(["x"])
        assert "seed" not in server.requests[2] or server.requests[2]["temperature"] > 0


def test_messages_options_and_raw_completions_are_sent_as_given():
    with serving() as server:
        lm = client(server, extra={"top_p": 0.95})
        lm([[{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]], max_tokens=7, stop=("\n", "#"))
        body = server.requests[0]
        assert [m["role"] for m in body["messages"]] == ["system", "user"]
        assert (body["max_tokens"], body["stop"], body["top_p"], body["temperature"]) == (7, ["\n", "#"], 0.95, 0.8)
        (texts,) = lm.complete(["one\n###\n"], stop=["\n"])
        assert server.requests[1]["prompt"] == "one\n###\n" and texts
        chat = client(server, traits=Traits(seed="taken"))
        assert chat.complete(["one\n###\n"])[0] and "messages" in server.requests[2]


@pytest.mark.parametrize("how", ["label", "first", "rating"])
def test_labels_are_scored_by_the_best_means_of_the_endpoint(how):
    can = {"label": {"echo": True}, "first": {}, "rating": {"logprobs": False}}[how]
    with serving(**can) as server:
        lm = client(server, traits=None)
        assert lm.endpoint_traits.scoring == how
        scores = lm.label_scores(["a good text: yes or no?", "a bad text: yes or no?"], ("yes", "no"))
        assert scores.probabilities.shape == (2, 2) and scores.mass.shape == (2,)
        np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1)
        assert scores.mass.min() > 0.9
        if how == "first":
            np.testing.assert_allclose(scores.probabilities[:, 0], [0.855 / 0.935, 0.19 / 0.97], rtol=1e-6)
        if how == "label":
            np.testing.assert_allclose(scores.probabilities[:, 0], [0.9, 0.2], rtol=1e-6)
        assert how == "rating" or scores.probabilities[0, 0] > 0.5 > scores.probabilities[1, 0]


def test_the_probe_finds_out_and_is_not_repeated(tmp_path):
    with serving() as server:
        lm = client(server, traits=None, cache=str(tmp_path / "lm.sqlite"))
        assert lm.endpoint_traits == Traits(logprobs=True, echo=False, schema="json_schema", completions=True, seed="repeats")
        calls = len(server.requests)
        assert calls <= 8
        lm.close()
        assert (
            client(server, traits=None, cache=str(tmp_path / "lm.sqlite")).endpoint_traits.logprobs
            and len(server.requests) == calls
        )
    with serving(logprobs=False, schema=False, completions=False) as server:
        traits = client(server, traits=None).endpoint_traits
        assert traits == Traits(seed="repeats") and traits.scoring == "rating"


def test_a_rating_is_an_expectation():
    with serving() as server:
        (expected,) = client(server).rating(["how good, from 1 to 9?"])
        assert expected == pytest.approx((0.1 * sum(range(1, 9)) + 0.2 * 9) / 1.0)
        assert np.isnan(client(server).rating(["is it good?"])).all()  # it wants to say yes
        assert client(server, scoring="rating").rating(["is it good, from 1 to 9?"])[0] == 8
        with pytest.raises(ValueError, match="from 1 to 20 is not one token a number"):
            client(server).rating(["x"], 1, 20)


def test_structured_answers_fit_their_schema_or_are_none():
    schema = {"type": "object", "properties": {"mood": {"enum": ["glad", "grim"]}, "score": {"type": "integer", "maximum": 5}}}

    def script(n, body):
        return "" if "never" not in str(body) else "null"

    with serving(script) as server:
        lm = client(server)
        texts = lm.generate_json(["a text", "never", ""], schema, role="genre")
        assert texts == [{"mood": "glad", "score": 1}, None, None]
    with serving(schema=False) as server:  # it answers in words, whatever the schema is
        lm = client(server, traits=Traits(seed="taken"))
        assert lm.generate_json(["a text"], schema) == [None]
        assert len(server.requests) == 2 and "JSON schema" in str(server.requests[0])
        assert lm.report()[0]["why"] == {"invalid": 2}
        assert lm.report()[0]["tokens_in"] == server.used[0]


def test_an_answer_is_held_against_its_whole_schema():
    properties = {"mood": {"type": "string", "pattern": "^g"}, "n": {"type": "integer"}}
    shape = schema.strict({"type": "object", "properties": properties})
    assert schema.fault('```json\n{"mood": "glad", "n": 2, "more": 1}\n```', shape) == ""  # a key too many does no harm
    assert "does not match" in schema.fault('{"mood": "sad", "n": 2}', shape)
    assert "not of type 'integer'" in schema.fault('{"mood": "glad", "n": true}', shape)
    assert "'n' is a required property" in schema.fault('{"mood": "glad"}', shape)
    assert "no JSON" in schema.fault("NaN", shape) and "no JSON" in schema.fault("[" * 100_000, shape)
    for wrong in ([], {"type": "number of things"}, {"properties": 3}):
        with pytest.raises(ValueError, match="is no JSON schema"):
            schema.check_schema(wrong)


def test_bad_texts_are_cleaned_or_fail_alone():
    with serving(lambda n, body: "overflow" if "long" in str(body) else "") as server:
        texts = client(server)(["", " \n", "a\x00b\x1bc\ud800", "long " * 3, "ok"], role="writer")
        assert [text is None for text in texts] == [True, True, False, True, False]
        assert "abc\ufffd" in [m["content"] for body in server.requests for m in body["messages"]]
        assert len(server.requests) == 3


def test_an_empty_text_in_every_kind_of_question_is_nan():
    with serving() as server:
        lm = client(server)
        assert np.isnan(lm.rating([""])).all() and np.isnan(lm.label_scores([""], ("yes", "no")).probabilities).all()
        assert lm.complete([""]) == [None] and lm([]) == [] and lm.rating([]).shape == (0,)
        assert lm.label_scores([], ("yes", "no")).probabilities.shape == (0, 2) and not server.requests


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "https://api.example.com/v1"}, "price of m is not known, and a budget needs it; type lm.price.in="),
        ({"base_url": "https://api.example.com/v1", "price": {"in": 1}}, "lm.price={'in': 1} is not a price"),
        ({"base_url": "https://api.example.com/v1", "price": {"in": None, "out": 1}}, "is not a price"),
        ({"base_url": "api.example.com"}, "no plain address"),
        ({"base_url": "http://me:secret@host/v1"}, "without a key in it"),
        ({"key_variable": "sk-1234-secret"}, "type the NAME"),
        ({"mode": "reply"}, "unknown lm.mode 'reply'; type replay"),
        ({"scoring": "argmax"}, "unknown lm.scoring 'argmax'"),
        (
            {"budget": {"dollars": 3}},
            "unknown setting 'lm.budget.dollars'; type lm.budget.calls, lm.budget.tokens or lm.budget.money",
        ),
        ({"budget": {"calls": -1}}, "lm.budget.calls=-1 is not a limit"),
        ({"limits": {"concurrency": 0}}, "lm.limits.concurrency=0 is not a limit; type lm.limits.concurrency=8"),
        ({"base_url": ""}, "either a server or a base_url"),
        ({"mode": "replay"}, "lm.mode=replay needs stored answers, and lm.cache is empty; type lm.cache=FILE"),
    ],
)
def test_invalid_settings(settings, message):
    with pytest.raises(ValueError, match=message) as raised:
        LM(**({"model": "m", "base_url": "http://127.0.0.1:1/v1"} | settings))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("labels", [("yes",), (), "yes", ("yes", ""), ("yes", "Yes"), ("yes", 1)])
def test_invalid_labels(labels):
    with serving() as server, pytest.raises(ValueError, match=r"labels=.*(no choice|twice)"):
        client(server).label_scores(["x"], labels)


def test_labels_with_a_common_beginning_and_a_judge_without_log_probabilities():
    with serving(logprobs=False) as server:
        with pytest.raises(ValueError, match="'happy ending' begins with the label 'happy'"):
            client(server).label_scores(["x"], ("happy ending", "happy"))
        with pytest.raises(ValueError, match="scoring=first needs log-probabilities.*type lm.scoring=auto"):
            client(server, scoring="first", traits=Traits()).label_scores(["x"], ("yes", "no"))
        scores = client(server).label_scores(["x"], ("yes", "no"))  # it was promised, and is not given
        assert np.isnan(scores.probabilities).all()


@pytest.mark.parametrize("what", ["html", "404 page", "nobody", "no key", "401"])
def test_what_is_no_endpoint_is_named_before_anything_is_spent(what, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "k")
    with serving(lambda n, body: what if what != "401" else "404") as server:
        if what == "nobody":
            server.server_close()
        settings = {"key_variable": "NO_SUCH_KEY"} if what == "no key" else {}
        message = {
            "html": "answered html .*as no API of this kind does; type lm.base_url=",
            "404 page": "as no API of this kind does",
            "nobody": "no server answers there; start it",
            "no key": "the key of .* is not set; type export NO_SUCH_KEY=YOUR_KEY",
            "401": "as no API",
        }[what]
        with pytest.raises(ValueError, match=message):
            client(server, traits=None, limits={"timeout": 1, "deadline": 2}, **settings)(["hi"])


def test_a_file_that_is_no_cache(tmp_path):
    (tmp_path / "text").write_text("not a database, and long enough to be read as one" * 9)
    with pytest.raises(ValueError, match=r"text cannot be opened as a cache of answers .*type lm.cache=another/file"):
        LM(model="m", base_url="http://127.0.0.1:1/v1", cache=str(tmp_path / "text"), mode="replay")(["x"])


def test_modes(tmp_path):
    path = str(tmp_path / "lm.sqlite")
    with serving() as server:
        first = client(server, cache=path)(["a", "b"])
        assert client(server, cache=path, mode="replay")(["b", "a"]) == first[::-1] and len(server.requests) == 2
        with pytest.raises(ValueError, match="1 of 1 questions have no answer in .*type lm.mode=readwrite"):
            client(server, cache=path, mode="replay")(["c"])
        with pytest.raises(ValueError, match="1 of 1 questions"):
            client(server, cache=path, mode="replay", prompt_version="2")(["a"])
        assert client(server, cache=path, mode="record")(["a"]) == first[:1] and len(server.requests) == 3
        off = client(server, cache=path, mode="off")
        assert off(["a"]) == off(["a"]) == first[:1] and len(server.requests) == 5


def test_a_replay_fails_where_the_recording_failed(tmp_path):
    path = str(tmp_path / "lm.sqlite")
    with serving(lambda n, body: "refusal" if "bad" in str(body) else "") as server:
        texts = client(server, cache=path)(["bad", "fine"])
        assert texts[0] is None and client(server, cache=path, mode="replay")(["bad", "fine"]) == texts
        assert (
            client(server, cache=path)(["bad", "fine"]) == texts and len(server.requests) == 3
        )  # once more: it may have changed


def test_the_cache_keeps_request_response_and_cost(tmp_path):
    import sqlite3

    with serving() as server:
        lm = client(server, cache=str(tmp_path / "lm.sqlite"), price={"in": 2.0, "out": 4.0})
        lm(["a"], role="writer")
    (row,) = sqlite3.connect(tmp_path / "lm.sqlite").execute("SELECT role, request, response, seconds FROM records").fetchall()
    assert row[0] == "writer" and json.loads(row[2]) == reply(json.loads(row[1])) and row[3] > 0
    (row,) = lm.report()
    assert row["money"] == pytest.approx((2 * server.used[0] + 4 * server.used[1]) / 1e6)
    lm(["a"], role="writer")
    assert lm.report()[0]["saved"] == row["money"] == lm.report()[0]["money"]


@pytest.mark.parametrize("budget", [{"calls": 40}, {"tokens": 1000}, {"money": 0.001}])
def test_a_budget_is_never_passed_and_what_was_answered_is_kept(budget):
    with serving(latency=0.01) as server:
        lm = client(server, budget=budget, price={"in": 1.0, "out": 1.0}, max_tokens=64, limits={"concurrency": 16})
        (name, limit), prompts = *budget.items(), [f"question {i}" for i in range(200)]
        with pytest.raises(Spent, match=f"budget is spent.*{name}.*Type a larger lm.budget.{name}="):
            lm(prompts, role="writer")
        (row,) = lm.report()
        total = {"calls": row["calls"], "tokens": row["tokens_in"] + row["tokens_out"], "money": row["money"]}[name]
        assert 0.5 * limit < total <= limit and row["calls"] == len(server.requests) == len(server.replied)
        prompts = [json.loads(json.dumps(body))["messages"][0]["content"] for body in server.replied]
        assert None not in lm(prompts, role="writer") and len(server.requests) == row["calls"]  # no cent twice
        with pytest.raises(Spent):
            lm(["another"])


def test_one_client_is_one_budget_for_all_threads():
    with serving(latency=0.002) as server:
        lm, ended = client(server, budget={"calls": 100}, limits={"concurrency": 32}), []

        def ask(who):
            try:
                for i in range(50):
                    lm([f"{who} {i}"], role=f"part {who}")
            except Spent:
                ended.append(who)

        threads = [threading.Thread(target=ask, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(server.requests) == 100 and len(ended) == 8 - sum(row["calls"] == 50 for row in lm.report())
        assert sum(row["calls"] for row in lm.report()) == 100


def test_a_client_is_not_copied_and_two_do_not_share_a_ledger(tmp_path):
    with serving() as server:
        lm = client(server, folder=str(tmp_path))
        lm(["x"])
        with pytest.raises(TypeError, match="two budgets"):
            pickle.dumps(lm)
        with pytest.raises(ValueError, match="in use by another client of the same model, so that there would be two budgets"):
            client(server, folder=str(tmp_path), cache=str(tmp_path / "other"))(["y"])
        lm.close()
        again = client(server, folder=str(tmp_path), budget={"calls": 2})
        again(["y"])
        with pytest.raises(Spent, match="2 of 2 calls"):
            again(["z"])
        assert hash(lm) != hash(again) and "base_url" in repr(lm)


def test_a_server_of_our_own_that_died_is_found_where_it_is_now():
    class Ours:
        fingerprint, extra, starts = "ours", {}, 0

        def start(self):
            self.starts += 1
            return servers[min(self.starts - 1, 1)]

    with serving() as second:
        with serving() as first:
            servers = [first.url, second.url]
            lm = LM(model="m", server=Ours(), traits=ALL)
            assert lm(["a"]) != [None] and len(first.requests) == 1
        assert lm([f"b{i}" for i in range(4)]).count(None) == 0 and len(second.requests) >= 3  # an open line may serve one more
