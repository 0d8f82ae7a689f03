"""Searches of several objectives, beside those of other packages."""
