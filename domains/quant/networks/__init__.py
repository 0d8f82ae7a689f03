"""Trained networks to quantize, their layers, data and weights."""
