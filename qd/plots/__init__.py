"""Figures from stored records, never from live objects: one file a plot, one function from records to a Figure."""
