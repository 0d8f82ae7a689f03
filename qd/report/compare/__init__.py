"""`qd compare`: methods side by side over seeds, as one page that needs no network, as tables and as figures for a paper.

``statistics`` has the intervals and tests, ``contrasts`` applies them to all pairs of methods, ``tables`` writes csv and
LaTeX, ``maps`` averages archives over seeds, ``page`` puts the html together, ``write`` calls them all.
"""
