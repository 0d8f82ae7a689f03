"""The page of all methods: each beside the published and the peer's figure, written to docs/scoreboard.md from kept tables.

    qd study scoreboard

The same as ``qd study pages page=scoreboard``. ``experiments/pages/scoreboard.yaml`` says what stands in it.
"""

from experiments import command
from experiments.pages import study as pages


def main() -> None:
    """Writes the page."""
    pages.main("scoreboard")


if __name__ == "__main__":
    command.run()
