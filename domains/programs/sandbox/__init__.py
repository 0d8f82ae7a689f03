"""Where programs of a language model are run: nothing of this machine is within their reach.

limits    what a run may use, and its outcome: the types
monty     an interpreter of plain Python without files, network and processes (pydantic-monty)
bubblewrap  CPython, NumPy or any executable in namespaces of their own (Debian's bwrap)
plain     an ordinary process, which is no sandbox: only where sandbox=none is typed
process   one child process under limits of time and output, for the two above
inside    the script that such a child runs
"""
