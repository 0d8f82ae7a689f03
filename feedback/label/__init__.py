"""The page on which people answer, and the store that it shares with the search: questions go in, answers come out.

    store      one SQLite file inside the run's folder        questions  the search's side of it
    rater      a rater's side of it                           jsonl      the same answers as JSON lines
    page       what a browser sees    guard  who is let in    command    `qd label`

Imports nothing else of feedback, and nothing heavy.
"""
