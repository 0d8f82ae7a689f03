"""A project of openevolve with an evaluator that costs next to nothing: what is left is the machinery of both sides."""

from pathlib import Path

_FILES = {
    "initial_program.py": """# EVOLVE-BLOCK-START
def number():
    first = 1.5
    second = 2.0
    third = 0.25
    return first * second - third


# EVOLVE-BLOCK-END
""",
    "evaluator.py": """def evaluate(program_path):
    names = {}
    with open(program_path) as file:
        exec(file.read(), names)
    return {"combined_score": 1 / (1 + abs(names["number"]() - 3.14159))}
""",
    "config.yaml": """diff_based_evolution: true
prompt:
  system_message: Change the numbers so that the function returns pi.
database:
  num_islands: 2
evaluator:
  timeout: 20
  parallel_evaluations: 2
  cascade_evaluation: false
""",
}


def make(temporary: Path) -> Path:
    """Writes the project.

    Args:
        temporary: folder in which it is written.

    Returns:
        The folder of the project.
    """
    project = temporary / "trivial"
    project.mkdir(exist_ok=True)
    for name, text in _FILES.items():
        (project / name).write_text(text, encoding="utf-8")
    return project
