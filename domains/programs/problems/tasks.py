"""The 30 functions of ``synthesis``: reference, and docstring (which is the task); their arguments stand in ``cases``.

Every function takes and returns what JSON can hold.
"""

from collections import Counter


def _run_lengths(s: str) -> list:
    """Returns the run-length encoding of s: a list of [character, count] for each run of equal characters."""
    runs: list = []
    for c in s:
        if runs and runs[-1][0] == c:
            runs[-1][1] += 1
        else:
            runs.append([c, 1])
    return runs


def _balanced(s: str) -> bool:
    """Returns whether the brackets ()[]{} in s are balanced; other characters are ignored."""
    pairs, stack = {")": "(", "]": "[", "}": "{"}, []
    for c in s:
        if c in "([{":
            stack.append(c)
        elif c in pairs and (not stack or stack.pop() != pairs[c]):
            return False
    return not stack


def _roman(n: int) -> str:
    """Returns the Roman numeral of n, 1 to 3999."""
    out = ""
    for value, text in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        out, n = out + text * (n // value), n % value
    return out


def _merge_ranges(ranges: list) -> list:
    """Merges closed ranges [low, high] that overlap or touch (share a number), and returns them in order."""
    merged: list = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    return merged


def _spiral(rows: list) -> list:
    """Returns the numbers of a rectangular matrix in a clockwise spiral from the top left corner."""
    rows, out = [list(row) for row in rows], []
    while rows:
        out += rows.pop(0)
        rows = [list(row) for row in zip(*rows, strict=True)][::-1]
    return out


def _longest_rise(xs: list) -> int:
    """Returns the length of the longest strictly increasing subsequence (not necessarily contiguous) of xs."""
    best: list = []
    for i, x in enumerate(xs):
        best.append(1 + max((best[j] for j in range(i) if xs[j] < x), default=0))
    return max(best, default=0)


def _edit_distance(a: str, b: str) -> int:
    """Returns the least number of insertions, deletions and substitutions of one character that turn a into b."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def _coins(amount: int, values: list) -> int:
    """Returns the fewest coins of the given values (each usable any number of times) that sum to amount, -1 if none do."""
    best = [0] + [10**9] * amount
    for total in range(1, amount + 1):
        best[total] = min((best[total - v] + 1 for v in values if v <= total), default=10**9)
    return best[amount] if best[amount] < 10**9 else -1


def _calculate(s: str) -> int:
    """Evaluates an expression of whole numbers with +, -, * and parentheses and the usual precedence."""
    place = 0

    def expression() -> int:
        nonlocal place
        value = product()
        while place < len(s) and s[place] in "+-":
            sign = 1 if s[place] == "+" else -1
            place += 1
            value += sign * product()
        return value

    def product() -> int:
        nonlocal place
        value = atom()
        while place < len(s) and s[place] == "*":
            place += 1
            value *= atom()
        return value

    def atom() -> int:
        nonlocal place
        if s[place] == "(":
            place += 1
            value = expression()
            place += 1
            return value
        if s[place] == "-":
            place += 1
            return -atom()
        start = place
        while place < len(s) and s[place].isdigit():
            place += 1
        return int(s[start:place])

    s = s.replace(" ", "")
    return expression()


def _islands(grid: list) -> int:
    """Counts groups of 1s in a grid of 0s and 1s; cells are connected up, down, left and right."""
    cells = {(i, j) for i, row in enumerate(grid) for j, v in enumerate(row) if v == 1}
    count = 0
    while cells:
        count, stack = count + 1, [cells.pop()]
        while stack:
            i, j = stack.pop()
            for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                if place in cells:
                    cells.remove(place)
                    stack.append(place)
    return count


def _look_and_say(n: int) -> str:
    """Returns the n-th term (from 1) of the look-and-say sequence 1, 11, 21, 1211, ..."""
    term = "1"
    for _ in range(n - 1):
        term = "".join(f"{count}{c}" for c, count in _run_lengths(term))
    return term


def _top_words(text: str, k: int) -> list:
    """Returns the k most frequent words of text in lower case, most frequent first, equal ones in alphabetical order.

    Words are runs of letters.
    """
    words = "".join(c.lower() if c.isalpha() else " " for c in text).split()
    return [word for word, _ in sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))[:k]]


def _next_permutation(xs: list) -> list:
    """Returns the lexicographically next permutation of xs; the smallest one after the largest."""
    xs = list(xs)
    i = len(xs) - 2
    while i >= 0 and xs[i] >= xs[i + 1]:
        i -= 1
    if i >= 0:
        j = max(j for j in range(i + 1, len(xs)) if xs[j] > xs[i])
        xs[i], xs[j] = xs[j], xs[i]
    return xs[: i + 1] + xs[i + 1 :][::-1]


def _water(heights: list) -> int:
    """Returns how much water a row of columns of these heights holds after rain."""
    return sum(min(max(heights[: i + 1]), max(heights[i:])) - h for i, h in enumerate(heights))


def _is_prime_sum(n: int) -> int:
    """Returns the sum of all primes up to n, n included."""
    return sum(p for p in range(2, n + 1) if all(p % d for d in range(2, int(p**0.5) + 1)))


def _to_base(n: int, base: int) -> str:
    """Returns the whole number n in a base from 2 to 16, with digits 0-9a-f and a minus sign where n is negative."""
    digits, m = "", abs(n)
    while m or not digits:
        digits, m = "0123456789abcdef"[m % base] + digits, m // base
    return "-" + digits if n < 0 else digits


def _transpose_text(lines: list) -> list:
    """Transposes lines of text of unequal length; missing characters become spaces, and trailing spaces are removed."""
    wide = max((len(line) for line in lines), default=0)
    return ["".join(line.ljust(wide)[i] for line in lines).rstrip() for i in range(wide)]


def _josephus(n: int, k: int) -> int:
    """n people numbered from 1 stand in a circle and every k-th is removed, from number 1 on. Returns the last one's number."""
    last = 0
    for size in range(2, n + 1):
        last = (last + k) % size
    return last + 1


def _partitions(n: int) -> int:
    """Returns in how many ways n is a sum of positive whole numbers, where order does not count."""
    ways = [1] + [0] * n
    for part in range(1, n + 1):
        for total in range(part, n + 1):
            ways[total] += ways[total - part]
    return ways[n]


def _compress_ranges(xs: list) -> str:
    """Returns sorted distinct whole numbers as text, with runs of three or more written as first-last: '1-3,5,7,8'."""
    out, i = [], 0
    while i < len(xs):
        j = i
        while j + 1 < len(xs) and xs[j + 1] == xs[j] + 1:
            j += 1
        out += [f"{xs[i]}-{xs[j]}"] if j - i >= 2 else [str(x) for x in xs[i : j + 1]]
        i = j + 1
    return ",".join(out)


def _life(grid: list) -> list:
    """Returns the next generation of Conway's game of life on a grid of 0s and 1s; outside of it all cells are dead."""

    def alive(i: int, j: int) -> int:
        return grid[i][j] if 0 <= i < len(grid) and 0 <= j < len(grid[0]) else 0

    def around(i: int, j: int) -> int:
        return sum(alive(a, b) for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1)) - grid[i][j]

    return [[int(around(i, j) == 3 or (v == 1 and around(i, j) == 2)) for j, v in enumerate(row)] for i, row in enumerate(grid)]


def _knight_moves(n: int, a: list, b: list) -> int:
    """Returns the fewest moves of a knight from square a to square b ([row, column] from 0) of an n by n board, -1 if none."""
    front, visited, count = {tuple(a)}, {tuple(a)}, 0
    while front:
        if tuple(b) in front:
            return count
        steps = [(1, 2), (2, 1), (-1, 2), (-2, 1), (1, -2), (2, -1), (-1, -2), (-2, -1)]
        front = {(i + p, j + q) for i, j in front for p, q in steps if 0 <= i + p < n and 0 <= j + q < n} - visited
        visited |= front
        count += 1
    return -1


def _median_window(xs: list, k: int) -> list:
    """Returns the median of every window of k neighbouring numbers of xs, k odd."""
    return [sorted(xs[i : i + k])[k // 2] for i in range(len(xs) - k + 1)]


def _anagram_groups(words: list) -> list:
    """Groups words that are anagrams: each group in alphabetical order, and the groups by their first word."""
    groups: dict = {}
    for word in sorted(words):
        groups.setdefault("".join(sorted(word)), []).append(word)
    return sorted(groups.values())


def _caesar(s: str, k: int) -> str:
    """Shifts each letter of s by k places in the alphabet, round the end, keeping its case; other characters stay."""
    out = ""
    for c in s:
        start = ord("a") if c.islower() else ord("A")
        out += chr((ord(c) - start + k) % 26 + start) if c.isascii() and c.isalpha() else c
    return out


def _longest_common(a: str, b: str) -> int:
    """Returns the length of the longest common subsequence (not necessarily contiguous) of a and b."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], before + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def _topological(n: int, edges: list) -> list:
    """Returns the numbers 0..n-1 so that i comes before j for each edge [i, j], always the smallest possible next.

    Returns an empty list where there is a cycle.
    """
    left, order = set(range(n)), []
    while left:
        free = [i for i in sorted(left) if not any(a in left and b == i for a, b in edges)]
        if not free:
            return []
        left.remove(free[0])
        order.append(free[0])
    return order


def _digits_to_words(n: int) -> str:
    """Returns n, 0 to 999, in English words without 'and' and hyphens: 342 is 'three hundred forty two'."""
    small = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if n < 20:
        return small[n]
    if n < 100:
        return tens[n // 10 - 2] + (f" {small[n % 10]}" if n % 10 else "")
    return f"{small[n // 100]} hundred" + (f" {_digits_to_words(n % 100)}" if n % 100 else "")


def _max_profit(prices: list) -> int:
    """Returns the largest profit of buying and selling once each, at most two times in all, the second after the first."""
    best = [0, -(10**9), 0, -(10**9), 0]
    for p in prices:
        best[1] = max(best[1], -p)
        best[2] = max(best[2], best[1] + p)
        best[3] = max(best[3], best[2] - p)
        best[4] = max(best[4], best[3] + p)
    return best[4]


def _happy_steps(n: int) -> int:
    """Replaces n by the sum of the squares of its digits until it is 1, and returns the number of steps; -1 if it never is."""
    past, count = set(), 0
    while n != 1:
        if n in past:
            return -1
        past.add(n)
        n, count = sum(int(c) ** 2 for c in str(n)), count + 1
    return count
