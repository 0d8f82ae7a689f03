"""Where programs of a language model are run: nothing of this machine is within their reach.

limits    what a run may use, and its outcome: the types
monty     an interpreter of plain Python without files, network and processes (pydantic-monty)
bubblewrap  CPython, NumPy or any executable in namespaces of their own (Debian's bwrap)
plain     an ordinary process, which is no sandbox: only where sandbox=none is typed
choice    these three by name
worker    a warm process of the latter two, which forks a child for each program
inside    the script that a worker runs
process   how a program's end reads as an outcome
"""
