"""Judges of similarity: functions `judge(x, a, b) -> [T]` of three Rows."""
