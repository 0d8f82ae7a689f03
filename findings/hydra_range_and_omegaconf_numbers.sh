#!/usr/bin/env bash
# hydra-core 1.3.8, omegaconf 2.3.1. Guess: a sweep over range(0,1,0.1) has the values 0.1 ... 0.9 as typed; a number in a yaml file and the same
# words on the command line are the same value.
# Observed: the range holds 0.7000000000000001; in a file 010 is 8 and 1:30 is 90 (YAML 1.1), on the command line 010 and 1:30 are text; and NaN is text in a file.
# Why it matters: values name folders and choose settings; a config that is copied from a command line changes its meaning.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" && "$work/env/bin/pip" install -q hydra-core==1.3.8 omegaconf==2.3.1
"$work/env/bin/python" - <<'PYTHON'
import hydra, omegaconf
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

parse = OverridesParser.create().parse_override
steps = [str(v) for v in parse("x=range(0,1,0.1)").sweep_string_iterator()]
in_file = OmegaConf.create("a: 010\nb: 1:30\nc: NaN")
typed = {name: parse(f"{name}={words}").value() for name, words in (("a", "010"), ("b", "1:30"), ("c", "NaN"))}
print("hydra", hydra.__version__, "omegaconf", omegaconf.__version__, "| range:", steps)
print("in a file:", dict(in_file), "| typed:", typed)
assert "0.7000000000000001" in steps and in_file.a == 8 and in_file.b == 90 and in_file.a != typed["a"]
PYTHON
