"""Programs: what the sandbox costs, how MAP-Elites compares with its rivals at equal calls, and beside openevolve."""
