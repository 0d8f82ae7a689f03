"""`qd view [FOLDER]`: the runs below a folder in a browser of this machine: their states, maps, reports; runs that go on move.

Nothing is written, no code of a folder is run and no link in it is followed, so folders of others may be viewed.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path

from qd.cli.parser import command_parser, nonempty_path
from qd.support.web import server


def main(words: Sequence[str]) -> int:
    """Serves the list until it is stopped.

    Raises:
        UserError: the folder is none, a package is missing, or the port cannot be used.
    """
    parser = command_parser("view", __doc__, "qd view [FOLDER] [--port N] [--host ADDRESS] [--name HOST] [--key KEY]")
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=Path("runs"), type=nonempty_path, help="by default runs")
    server.add_options(parser, 8764)
    args = parser.parse_args(words)
    server.check("qd view", args.port)

    from qd.report.view.listing import Listing

    listing = Listing(args.folder)  # before the packages of the page are imported
    from qd.report.view.app import application

    where = server.address(args.host, args.port, args.name, args.key, lambda: secrets.token_urlsafe(16))
    lines = [f"the runs in {args.folder} are at {where.url}", "Ctrl-C ends it"]
    return server.serve(application(listing, where.hosts, where.key), where, lines)
