"""Commands for other programs that evaluate: ask prints a batch, tell takes its results."""
