"""What a run shows while it goes on: lines on a terminal, a bar in a notebook, what it waits for."""
