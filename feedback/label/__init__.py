"""The labelling page, and the store that it shares with the search: questions go in, answers come out.

    store      one SQLite file in the run's folder   questions  the search's side of it
    rater      a rater's side of it                 jsonl     the same answers as JSON lines
    progress   counts and agreement                 run_view  what the page shows of the run folder
    page       the pages in a browser               guard     access control
    command    `qd label`

Imports nothing else of feedback, and nothing heavy.
"""
