"""Settings of the domain that cannot be are refused before anything slow is imported or read."""

import subprocess
import sys

import pytest

from domains.quant import options, preconditions
from domains.quant.domain import Quant
from domains.quant.networks import language
from qd.cli.main import main

REFUSED = {
    "domain.network=language domain.images=1000": "images=1000 is none of 1 to 192 windows of text; type images=192",
    "domain.network=language_outliers domain.corrupted=300": "images=300 is none of 1 to 192",
    "domain.network=language domain.split=tset": "unknown split 'tset'; type test",
    "domain.network=diffusion domain.split=nosuch": "unknown split 'nosuch'; type train, validation or test",
    "domain.network=digits domain.options=language_turns": "for the language model, not for digits",
    "domain.network=digits domain.split=tset": "unknown split 'tset'; type test",
    "domain.network=language domain.options=denoising": "options denoising are for the diffusion transformer, not for language",
    "domain.network=diffusion domain.options=bits": "none of the diffusion transformer; type domain.options=denoising or",
    "domain.network=diffusion domain.steps=0": "0 steps sample no image; type domain.steps=10",
    "domain.network=diffusion domain.calibration=3": "5 groups of timesteps cannot be calibrated on 3 samples",
    "domain.network=diffusion domain.steps=3": "group 3 would be beyond the last one; type domain.steps=5",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_named_with_what_to_type(words, capsys, own_folder):
    assert main(["run", "domain=quant", *words.split()]) == 1
    assert REFUSED[words] in capsys.readouterr().err


def test_neither_jax_nor_weights_are_read_first(monkeypatch):
    lines = (
        "import sys; from qd.cli.main import main",
        "assert main(['run', 'domain=quant', 'domain.network=diffusion', 'domain.calibration=3']) == 1",
        "assert main(['run', 'domain=quant', 'domain.network=language', 'domain.images=1000']) == 1",
        "assert not {'jax', 'scipy', 'ribs'} & set(sys.modules)",
    )
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, check=False).returncode == 0
    monkeypatch.setattr(language, "_arrays", None)  # a call fails
    with pytest.raises(ValueError, match="images=1000 is none of 1 to 192"):
        Quant("language", images=1000)


def test_what_may_be_is_not_refused():
    preconditions.check({"network": "diffusion", "steps": 5, "calibration": 5})
    preconditions.check({"network": "diffusion", "options": "denoising_bits", "steps": 1})
    preconditions.check({"network": "language", "images": 256, "split": "test"})
    preconditions.check({"network": "digits", "images": 1000, "split": "test"})


def test_the_limits_are_those_of_the_options():
    for name, groups in preconditions.GROUPS.items():
        assert groups == max(getattr(option, "groups", 1) for option in options.by_name(name)[1])
    assert set(preconditions.LANGUAGE) == set(language.OUTLIERS)
    rest = language.stored()
    assert {split: len(rows) for split, rows in rest.windows.items()} == preconditions.WINDOWS
