"""Quantizers, the bank of quantized layers, calibration and rounding."""
