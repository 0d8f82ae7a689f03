"""`report.html`: a run as one file that needs no network, made from its folder alone.

``contents`` collects what the page shows, ``timeline`` how the map came about, ``lineage`` who descends from whom,
``bundle`` packs arrays and text into the file, ``write`` puts the file together with what stands in ``static/``.
"""
