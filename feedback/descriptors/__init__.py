"""Descriptors: selected by hand, or learned from features or from comparisons."""
