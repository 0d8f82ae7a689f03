"""Figures from stored records, never from live objects: one room a plot, one function from records to a Figure."""
