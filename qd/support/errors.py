"""The one error that is a message for the user."""


class UserError(ValueError):
    """Something that the caller can put right: what is wrong, and what to type instead.

    Args:
        problem: what is wrong, with the value at fault.
        fix: what to type or do instead; empty where ``problem`` implies it.
    """

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}; {fix}" if fix else problem)
        self.problem, self.fix = problem, fix
