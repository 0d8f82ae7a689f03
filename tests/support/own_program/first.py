def solve():
    return 10 + 5
