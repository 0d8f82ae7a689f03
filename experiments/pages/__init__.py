"""Numbers of pages from kept tables. ``study.py`` writes them; a yaml file for each page says which number stands where."""
