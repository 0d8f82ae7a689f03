"""The estimate before a long or paid run: what it says, whom it asks, and that cheap runs never see it."""

import pytest

from qd.archives import settings
from qd.cli.main import main
from qd.config import estimate
from qd.config.estimate import Consent


class Paid:
    """A language model that has cost something."""

    calls = 0

    def report(self):
        return [
            {"role": "writer", "calls": self.calls, "tokens_in": 100 * self.calls, "tokens_out": 0, "money": 0.5 * self.calls}
        ]


def looked(consent: Consent, evaluations: int, busy: float, services=()) -> tuple[list[str], list[str]]:
    lines, saved = [], []
    consent.check(evaluations, busy, services, lambda: saved.append("saved"), lines.append)
    return lines, saved


def test_a_run_of_less_than_an_hour_is_never_asked_about():
    consent = Consent(1_000, yes=False, ask=lambda question: pytest.fail("it asked"))
    consent.begin(0, 0.0, ())
    assert looked(consent, 100, 9.9) == ([], []) and not consent.done
    assert looked(consent, 100, 10.0) == ([], []) and consent.done


def test_a_long_run_is_asked_about_once_and_refused_with_a_checkpoint():
    answers = iter([True])
    consent = Consent(100_000, yes=False, ask=lambda question: next(answers))
    consent.begin(50, 5.0, ())
    lines, saved = looked(consent, 150, 25.0)  # 100 evaluations in 20 s
    assert lines == ["99,850 evaluations remain: about 5 h 33 min at 5 evaluations a second"] and saved == []
    assert looked(consent, 200, 40.0) == ([], [])
    refused = Consent(100_000, yes=False, ask=lambda question: False)
    refused.begin(0, 0.0, ())
    checkpoints: list[str] = []
    with pytest.raises(ValueError, match="5 evaluations a second; add yes=true to the command, and it goes on from there"):
        refused.check(100, 20.0, (), lambda: checkpoints.append("saved"), print)
    assert checkpoints == ["saved"]


def test_a_paid_run_is_asked_about_after_its_first_calls():
    service = Paid()
    consent = Consent(1_000, yes=True)
    consent.begin(0, 0.0, [service])
    assert looked(consent, 50, 1.0, [service]) == ([], [])  # answered by the cache: nothing was paid
    service.calls = 10
    lines, _ = looked(consent, 100, 2.0, [service])
    assert lines == [
        "900 evaluations remain: about 18 s at 50 evaluations a second, 90 calls, 9,000 tokens, "
        "45.00 in the currency of the prices"
    ]


@pytest.mark.parametrize(
    ("seconds", "money", "words"),
    [
        (3.6, 0.00213, "4 s at 1 evaluations a second, 0.0021 in"),
        (600, 0, "10 min at"),
        (7260, 20.5, "2 h 01 min at 1 evaluations a second, 20.50 in"),
    ],
)
def test_small_numbers_are_read_as_they_are(seconds, money, words):
    assert words in str(estimate.Estimate(1, seconds, 1.0, 0, 0, money))


def test_a_refusal_without_a_terminal_says_the_estimate_once(monkeypatch):
    monkeypatch.setattr(estimate, "has_terminal", lambda: False)
    consent, lines = Consent(100_000, yes=False), []
    consent.begin(0, 0.0, ())
    with pytest.raises(ValueError, match="99,900 evaluations remain"):
        consent.check(100, 20.0, (), lambda: None, lines.append)
    assert lines == []


def test_a_run_that_nobody_can_be_asked_about_stops_and_goes_on_with_yes(own_folder, monkeypatch, capsys):
    monkeypatch.setattr(estimate, "_LOOK", 0.0)
    monkeypatch.setattr(estimate, "_LONG", 0.0)
    words = [
        "run",
        "domain=arm",
        "initial=50",
        "emitter.batch_size=50",
        "archive.dims=[8,8]",
        "budget=200",
        "console=off",
        "name=a",
    ]
    assert main(words) == 1
    assert "stopped with a checkpoint: 150 evaluations remain" in capsys.readouterr().err
    assert main([*words, "yes=true"]) == 0
    (run,) = own_folder.glob("runs/a/*/result.json")
    assert '"status": "finished"' in run.read_text()


def test_of_several_seeds_the_first_is_measured_and_asks_for_all():
    consent = Consent(10_000, yes=False, ask=lambda question: True, others=30_000, at_once=2)
    consent.begin(0, 0.0, ())
    lines, _ = looked(consent, 1_000, 1_000.0)  # one seed: an evaluation a second, two seeds at a time
    assert lines == ["39,000 evaluations remain: about 5 h 25 min at 2 evaluations a second"]


def test_a_no_stops_all_seeds_and_yes_lets_them_go_on(own_folder, monkeypatch, capsys):
    monkeypatch.setattr(estimate, "_LOOK", 0.0)
    monkeypatch.setattr(estimate, "_LONG", 0.0)
    words = ["run", "seeds=2", "initial=50", "emitter.batch_size=50", "archive.dims=[8,8]", "budget=20000", "name=b"]
    assert main([*words, "console=off"]) == 1
    output = capsys.readouterr()
    assert "evaluations remain" in output.err + output.out and "add yes=true" in output.err + output.out
    assert not list(own_folder.glob("runs/b/s0/result.json"))
    assert main([*words, "console=off", "yes=true"]) == 0
    assert len(list(own_folder.glob("runs/b/*/result.json"))) == 2


@pytest.mark.ci
def test_centroids_are_fitted_before_the_search_is_timed(own_folder, monkeypatch):
    order, fit, begin = [], settings.k_means_centroids, Consent.begin
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_folder))
    monkeypatch.setattr(settings, "k_means_centroids", lambda **arguments: order.append("fit") or fit(**arguments))
    monkeypatch.setattr(Consent, "begin", lambda self, *counts: order.append("begin") or begin(self, *counts))
    settings._centroids.cache_clear()
    words = ["domain=arm", "initial=50", "emitter.batch_size=50", "archive=cvt", "archive.cells=7", "archive.samples=50"]
    assert main(["run", *words, "budget=100", "console=off", "name=c"]) == 0
    assert order == ["fit", "begin"]
