"""Whole commands are timed with all their processes, and on a terminal."""

import subprocess
import sys

import pytest

from experiments.benchmarks import whole_process

SPENDER = "import time; begun = time.process_time()\nwhile time.process_time() < begun + 0.3: pass"
HOLDER = "import time; held = bytearray(60_000_000); time.sleep(0.5)"
PARENT = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {HOLDER!r}]); {HOLDER}; child.wait()"


def test_the_time_and_the_memory_of_a_child_count(tmp_path):
    assert whole_process.run([sys.executable, "-c", SPENDER], str(tmp_path), {})["cpu_s"] > 0.25
    one = whole_process.run([sys.executable, "-c", HOLDER], str(tmp_path), {})
    two = whole_process.run([sys.executable, "-c", PARENT], str(tmp_path), {})
    assert 60 < one["peak_mb"] < 100 and two["wall_s"] > 0.5
    if sys.platform == "linux":
        assert one["peak_mb"] + 55 < two["peak_mb"]


def test_a_command_that_fails_is_named_with_its_output(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as error:
        whole_process.run([sys.executable, "-c", "raise SystemExit('no map')"], str(tmp_path), {})
    assert "no map" in error.value.output


def test_what_a_terminal_shows_first_is_noted_when_it_shows(tmp_path):
    program = "import sys, time; assert sys.stdout.isatty(); print('a'); time.sleep(0.4); print('gen 1 ')"
    times = whole_process.on_terminal([sys.executable, "-c", program], str(tmp_path), {}, {"first": "", "gen": "gen 1"})
    assert 0 < times["first"] < times["gen"] - 0.35 < times["wall_s"]
    with pytest.raises(KeyError):
        whole_process.on_terminal([sys.executable, "-c", "print('a')"], str(tmp_path), {}, {"gen": "gen 1"})
