"""A language model on this machine: weights, server, download."""
