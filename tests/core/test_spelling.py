"""Messages about unknown names list the one to three names that were probably meant."""

import pytest

from qd.support.spelling import unknown

MANY = [f"{letter}{number}_name" for letter in "pqrst" for number in range(12)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (unknown("domain", "amr", ["maze", "arm", *MANY]), "unknown domain 'amr'; type arm"),
        (unknown("domain", "ARM", ["maze", "arm"]), "unknown domain 'ARM'; type arm"),
        (unknown("budget", "huge", ["quick", "full"]), "unknown budget 'huge'; type quick or full"),
        (unknown("x", "p1_nam", MANY, lister="qd run --help"), "unknown x 'p1_nam'; type p1_name, p11_name or p10_name"),
        (unknown("setting", "domain.jonts", ["domain.pure", "domain.joints"], "of Arm"),
         "unknown setting 'domain.jonts' of Arm; type domain.joints"),
        (unknown("weights", "x", [], otherwise="or a path"), "unknown weights 'x'; there is none"),
        (unknown("weights", "a/b", ["a/c"], otherwise="or a path"), "unknown weights 'a/b'; type a/c or a path"),
    ],
)  # fmt: skip
def test_the_message(error, message):
    assert str(error) == message and error.fix == message.partition("; ")[2]


def test_where_nothing_is_close_three_of_many_and_the_command_that_lists_all():
    error = unknown("setting", "zzzzzz", MANY, lister="qd run --help")
    assert error.fix.count("_name") == 3 and error.fix.endswith(", ... (qd run --help lists all)")
