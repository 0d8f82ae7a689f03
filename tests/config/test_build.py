"""Components from nodes: calls, and functions that are components themselves."""

import pytest

from qd.config.build import build
from qd.support.errors import UserError


def make(latents, size: int = 2):
    return [size] * len(latents)


def test_a_function_itself_is_a_component_with_or_without_settings():
    name = f"{__name__}.make"
    assert build({"_target_": name, "_partial_": True}, {}, "domain.generate") is make
    assert build({"_target_": name, "_partial_": True, "size": 3}, {}, "domain.generate")([0, 0]) == [3, 3]
    with pytest.raises(UserError, match=r"make needs it; type domain.generate.latents=..., or domain.generate._partial_=true"):
        build({"_target_": name}, {}, "domain.generate")
