"""Pages and tables have the same numbers, and what is written into a page is what a reference names."""

import pytest
import yaml

from experiments.pages import numbers, plans, rest
from experiments.pages import study as pages
from qd.report import table
from qd.report.table import Row


@pytest.mark.parametrize("name", pages.pages())
def test_the_numbers_of_a_page_are_those_of_the_tables(name):
    text = pages.path_of(name).read_text(encoding="utf-8")
    assert pages.written(name, text) == text, "run: qd study pages"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A table of two methods, and a function that writes a text by a plan."""
    rows = [
        Row("arm, 200 evaluations", "ours", "score", 5.04, 4, 6, 8),
        Row("arm, 200 evaluations", "ours - b", "score", 1.5, -0.5, 3.5, 3, (1.0, 1.5, 2.0), 0.04),
        Row("arm, 200 evaluations", "ours", "until", 50_000, 4, 6, 3),
    ]
    table.write(tmp_path / "mine" / "table.csv", rows)
    runs = table.Runs(tmp_path / "mine" / "runs.jsonl")
    for seed, (score, until) in enumerate([(4.0, 50), (5.0, 120), (7.0, 200)]):
        runs.add("arm, 200 evaluations", "ours", seed, {"score": score, "until": until})
    monkeypatch.setattr(numbers, "RESULTS", tmp_path)
    monkeypatch.setattr(plans, "HERE", tmp_path)
    for cached in (numbers.rows, numbers.runs):
        cached.cache_clear()
    yield lambda plan, text: (tmp_path / "p.yaml").write_text(yaml.safe_dump(plan)) and pages.written("p", text)
    for cached in (numbers.rows, numbers.runs):
        cached.cache_clear()


DEFAULTS = {"study": "mine", "case": "arm, 200 evaluations", "method": "ours", "metric": "score"}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("form=.1", "5.0"),
        ("form=.1i", "5.0 [4.0, 6.0]"),
        ("form=.1b", "[4.0, 6.0]"),
        ("form=.0; times=100", "504"),
        ("form=+.2", "+5.04"),
        ("method=ours - b; form=.1i", "1.5 [-0.5, 3.5] (1.0, 1.5, 2.0)"),
        ("method=ours - b; form=.1p", "0.04"),
        ("form=.0n", "8"),
        ("form=.1r", "5.0 [4.0, 7.0]"),
        ("form=.1m", "[4.0, 7.0]"),
        ("form=.1; seeds=1-2", "6.0"),
        ("metric=until; form=.0c", "2"),
        ("metric=until; form=.0w", "0k, 0k, -"),
    ],
)
def test_a_reference_is_written_in_its_form(page, reference, words):
    plan = {"defaults": DEFAULTS, "numbers": {"a": f"about [[{reference}]]"}}
    assert page(plan, "Ours: <!--a-->old<!--/-->.") == f"Ours: <!--a-->about {words}<!--/-->."


def test_a_table_is_written_row_by_row_and_again_is_the_same(page):
    columns = {"method": "$label", "score": "[[form=.1]]", "seeds 20 to 39": "[[form=.1; seeds=20-39]]"}
    rows = [{"label": "we", "method": "ours"}, {"label": "nobody", "method": "b"}]
    plan = {"defaults": DEFAULTS, "tables": {"t": {"columns": columns, "rows": rows}}}
    text = page(plan, "<!--t-->\n<!--/-->")
    assert text.split("\n")[2:6] == [
        "| method | score | seeds 20 to 39 |",
        "|---|---|---|",
        "| we | 5.0 |  |",
        "| nobody |  |  |",
    ]
    assert page(plan, text) == text


def test_rows_that_no_page_has_are_listed_with_a_metric_that_they_have(page):
    text = page(
        {"defaults": DEFAULTS, "tables": {"t": {"rest": "all"}}, "numbers": {"a": "[[form=.1]]"}},
        "<!--a--><!--/--><!--t--><!--/-->",
    )
    assert "| arm, 200 evaluations | ours - b | 3 | 1.5 [-0.5, 3.5] (1, 1.5, 2), p 0.04 |" in text
    assert "| ours | " not in text and "In the table alone: until." in text
    assert (
        rest.of_study("mine", {("arm, 200 evaluations", "ours", "until"), ("arm, 200 evaluations", "ours - b", "score")}) == []
    )


@pytest.mark.parametrize(
    ("plan", "text", "fault"),
    [
        ({"numbers": {"a": "[[form=.1]]"}}, "nothing", "does not mark"),
        ({"numbers": {"a": "[[form=.1]]"}}, "<!--a--><!--/--> <!--b--><!--/-->", "unknown number 'b'"),
        ({"numbers": {"a": "[[method=nobody]]"}}, "<!--a-->5<!--/-->", "in no table"),
        ({"numbers": {"a": "[[study=yours]]"}}, "<!--a-->5<!--/-->", "unknown study 'yours'"),
        ({"numbers": {"a": "[[methd=ours]]"}}, "<!--a-->5<!--/-->", "unknown field 'methd'"),
    ],
)
def test_what_cannot_be_written_is_named(page, plan, text, fault):
    with pytest.raises(ValueError, match=fault):
        page({"defaults": DEFAULTS} | plan, text.replace("nothing", "a page"))
