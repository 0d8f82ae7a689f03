"""What the study of training and learned matrices compares."""

from experiments.quant import trained


def test_each_way_is_beside_plain_rounding_at_each_number_of_bits():
    banked, made = trained.banked(), trained.trained()
    assert not set(banked) & set(made)
    cases = {case for case, _ in [*banked, *made]}
    for kind, bits in ((trained.QUEST, (1, 2, 3, 4, 8)), (trained.NEST, (2, 3, 4, 8)), (trained.GONE, (2, 3, 4, 8))):
        assert {f"{kind}, {b} bits" for b in bits} <= cases
    assert all((case, "plain") in banked for case in cases - {"full precision"})


def test_what_papers_set_a_method_against_is_compared():
    pairs = set(trained.pairs("c", ("plain", "projection, untrained", "straight through", "trust")))
    assert pairs == {
        *(("c", "plain", name) for name in ("projection, untrained", "straight through", "trust")),
        ("c", "straight through", "trust"), ("c", "projection, untrained", "trust"),
    }  # fmt: skip
    assert set(trained.pairs("c", ("random", "salient"))) == {("c", "random", "salient")}
    assert set(trained.pairs("c", ("shipped", trained.CONTROL))) == {("c", "shipped", trained.CONTROL)}
