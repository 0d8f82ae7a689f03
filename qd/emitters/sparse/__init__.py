"""Emitters for sparse rewards: SERENE and its components."""
