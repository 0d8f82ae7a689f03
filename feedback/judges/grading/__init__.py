"""Judges of single items: functions `grade(items)`, [B] or [B, M]."""
