"""Predictions of accuracy before a configuration is evaluated."""
