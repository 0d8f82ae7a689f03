"""Sparse rewards: STAX, SERENE, TAXONS and their rivals."""
