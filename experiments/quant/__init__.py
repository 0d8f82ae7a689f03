"""Quantized networks: which method finds the best configurations."""
