"""Comparisons, the posterior that they give, and which question to ask next."""
