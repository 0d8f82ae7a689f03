"""The one error that is a message for the user, and one kind of it that a run can say more about."""


class UserError(ValueError):
    """Something that the caller can put right: what is wrong, and what to type instead.

    Args:
        problem: what is wrong, with the value at fault.
        fix: what to type or do instead; empty where ``problem`` implies it.
    """

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem, self.fix = problem, fix


class TooFewSolutions(UserError):
    """A descriptor has too few solutions to learn from; a run, which knows where they come from, says how to get more.

    Args:
        problem: what is wrong.
        count: solutions that there are, at least 0.
        needed: solutions that it needs.
        instead: what else helps; empty: nothing.
    """

    def __init__(self, problem: str, count: int, needed: int, instead: str = "") -> None:
        super().__init__(problem, f"begin with more solutions that do not fail{f', or {instead}' if instead else ''}")
        self.count, self.needed, self.instead = count, needed, instead
