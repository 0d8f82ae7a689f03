"""Shared infrastructure, importable by every package: whole files, locks, cache folders, provenance, errors, spelling."""
