"""`qd view`: the runs below a folder in a browser of this machine; a run that is going on moves while one looks.

``listing`` describes the runs, ``thumbnail`` draws their maps small, ``app`` serves both and the page of each run
(qd/report/page). Nothing is written, no code of a folder is run, no link in it is followed.
"""
