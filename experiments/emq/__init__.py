"""Evolved proxies (EMQ) against hand-made ones."""
