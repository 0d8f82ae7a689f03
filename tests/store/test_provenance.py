"""The commit that a row names: changed code is marked, and rows that a study adds to its own table are no change of code."""

import subprocess
from pathlib import Path

from qd.support import provenance


def test_only_changed_code_is_marked(tmp_path: Path, monkeypatch):
    for name in ("qd/types.py", "experiments/results/arm/runs.jsonl", "docs/arm.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "begun")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "qd/support/provenance.py"))
    head = provenance.commit(mark_changes=False)
    assert head is not None and provenance.commit() == head
    (tmp_path / "experiments/results/arm/runs.jsonl").write_text("a row\n")
    (tmp_path / "docs/arm.md").write_text("a number\n")
    assert provenance.commit() == head
    (tmp_path / "qd/types.py").write_text("changed = True\n")
    assert provenance.commit() == f"{head}+dirty"
