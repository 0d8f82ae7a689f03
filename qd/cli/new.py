"""`qd new NAME`: a domain of your own in the folder you are in, with its config and a test, ready to run and to change.

Writes NAME.py, conf/domain/NAME.yaml and test_NAME.py into this folder; then qd run domain=NAME works here.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Writes the files and says what to type next. Raises UserError where a name or a file is taken."""
    parser = command_parser("new", __doc__, "qd new NAME [--external]")
    parser.add_argument("name", metavar="NAME", help="of the domain and its module")
    external = "only the yaml, of a domain that another program evaluates (qd ask, qd tell)"
    parser.add_argument("--external", action="store_true", help=external)
    args = parser.parse_args(words)

    from qd.config.scaffold import new

    print("\n".join(map(str, new(args.name, args.external))))
    print(f"next: qd {'ask' if args.external else 'run'} domain={args.name}")
    return 0
