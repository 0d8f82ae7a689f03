"""PlanSearch and RethinkMCTS: which questions they ask, in which order, and what they remember."""

import numpy as np

from domains.programs.emitters.plans import PlanSearch, lines, subsets
from domains.programs.emitters.thoughts import RethinkMCTS, Thought, Tree, path, weighed
from qd import keys
from qd.search import run as search_run
from qd.search import start
from tests.domains.programs.test_programs import a_search, domain, number, own


def ideas(prompt, sample):
    """Observations, plans and programs; each kind of question has its own answer."""
    if "Reply with the whole program" in prompt:
        assert "as lines" in prompt or "first do this" in prompt
        return number(prompt, sample)
    if "pseudocode" in prompt:
        return f"as lines {sample}"
    if "Assume that this plan is wrong" in prompt:
        assert "first do this" in prompt
        return "it forgets zero"
    if "corrected plan" in prompt:
        assert "it forgets zero" in prompt
        return "first do this, and zero"
    return "first do this" if "plain words" in prompt else f"1. one thing {sample % 97}\n2. another thing"


def test_plan_search_visits_the_tree_of_observations_without_repetition():
    each = domain(ideas)
    search = a_search(each, PlanSearch(each, batch_size=4, count=2))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    for state, batch in search_run(search, state, 9):
        assert (batch.status >= 0).all() and len(batch.solutions) == 4
    memory, roles = state.memory, each.coder.lm.roles
    of_a_generation = ["plan"] * 2 + ["criticise"] * 2 + ["correct"] * 2 + ["pseudocode"] * 4 + ["code"] * 4
    assert len(memory.first) == 2 and [role for role in roles if role != "observe"] == of_a_generation * 2
    assert len(memory.planned) == 4 == len(set(memory.planned)) and not set(memory.planned) & set(memory.unplanned)
    assert len(memory.unexplored) <= 2 and roles.count("observe") >= 3 and all(len(subset) <= 2 for subset in memory.unplanned)


def test_plan_search_without_criticism_and_pseudocode():
    each = domain(ideas)
    search = a_search(each, PlanSearch(each, batch_size=2, count=3, criticism=False, pseudocode=False))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    ((_, batch),) = search_run(search, state, 2)
    assert each.coder.lm.roles == ["observe"] * 2 + ["plan"] * 2 + ["code"] * 2 and (batch.status >= 0).all()


def test_a_tree_that_is_used_up_and_a_model_that_says_nothing():
    each = domain(lambda prompt, sample: number(prompt, sample) if "whole program" in prompt else "")
    search = a_search(each, PlanSearch(each, batch_size=2))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    for state, batch in search_run(search, state, 5):
        assert (batch.status >= 0).all()
    assert state.memory.first == () and state.memory.planned.count(()) >= 1


def test_points_of_a_list_and_subsets():
    assert lines("Well:\n- a\n* b\n3) c") == ["a", "b", "c"] and lines("plain") == ["plain"] and lines(None) == []
    assert lines("- 0.7: a step") == ["0.7: a step"] and weighed("0.7: a step", 1) == ("a step", 0.7)
    assert weighed("[0.25] b", 2) == ("b", 0.25) and weighed("no number", 2) == ("no number", 1 / 3)
    assert subsets("abc", 2) == [(), ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")]


def thoughts(prompt, sample):
    if "replaces the one above" in prompt:
        assert "it returned 1" in prompt and "return 1" in prompt
        return "better"
    if "next steps" in prompt:
        return "- 0.2: first\n- 0.9: second"
    if "one number from -1" in prompt:
        return "0.5"
    return f"```python\ndef solve():\n    return {20 if 'better' in prompt else 1}\n```"


def test_a_thought_that_fails_is_replaced_and_its_reward_goes_up_the_tree():
    each = domain(thoughts, own(objective_range=(0, 20)))
    search = a_search(each, RethinkMCTS(each, width=2))
    state, _ = start(search, keys.new(0), each.sample(keys.new(1), 1))
    objectives = []
    for state, batch in search_run(search, state, 4):
        objectives.append(float(batch.evaluation.objective[0]))
    nodes = state.memory.nodes
    assert objectives == [1, 20, 1]
    assert each.coder.lm.roles == ["think", "code", "rethink", "code", "judge", "think", "code"]
    assert [node.thought for node in nodes] == ["", "better", "second", "first", "second"] and nodes[1].prior == 1
    assert np.isclose(nodes[1].value, 0.9 * (0.8 + 0.2 * 0.5)) and np.isclose(nodes[0].value, 0.9 * nodes[1].value)
    assert nodes[0].returns == 1 and state.memory.pending == 2 and path(nodes, 4) == ["better", "second"]


def test_selection_weighs_returns_and_priors():
    each = domain(thoughts, own(objective_range=(0, 20)))
    search = RethinkMCTS(each)
    nodes = (Thought(-1, "", 1, 3), Thought(0, "a", 0.5, 2, 0.9), Thought(0, "b", 0.5, 1, 0.1), Thought(1, "c", 0.3))
    weight = (np.log((4 + 11) / 10) + 4) * 0.5 * np.sqrt(np.log(4))
    assert np.isclose(search._p_ucb(nodes[1], 4), 0.9 + weight / 3)
    assert search._select(Tree(nodes)) == (3 if 0.9 + weight / 3 > 0.1 + weight / 2 else 2)
