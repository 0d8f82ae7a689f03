"""The command line: each file parses the words of a command, calls one function and prints what it returns.

That function is imported after the words are parsed: --help and misspelt words answer at once, without NumPy or JAX.
"""
