# EVOLVE-BLOCK-START
def guess():
    return 2.5 + 0.25


# EVOLVE-BLOCK-END


def answer():
    return guess()
