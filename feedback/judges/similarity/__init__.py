"""Judges of similarity: functions `more_alike(x, a, b) -> [T]` of three Rows."""
