"""How much of their words two texts share in the same order."""

import re


def rouge_l(text: str, other: str) -> float:
    """Returns ROUGE-L's F: the longest common subsequence of words against both lengths (Lin 2004).

    Args:
        text: one text; case does not matter.
        other: the other; the two may change places.

    Returns:
        2 x common words / words of both, 0 to 1; 0 where one has no words.
    """
    a, b = (re.findall(r"\w+", each.lower()) for each in (text, other))
    if not a or not b:
        return 0.0
    before = [0] * (len(b) + 1)
    for word in a:
        now = [0]
        for j, its in enumerate(b):
            now.append(before[j] + 1 if word == its else max(before[j + 1], now[j]))
        before = now
    return 2 * before[-1] / (len(a) + len(b))
