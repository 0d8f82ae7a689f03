"""`qd new NAME`: a domain of your own in the folder you are in, with its config and a test, ready to run and to change.

Writes NAME.py, conf/domain/NAME.yaml and test_NAME.py into this folder; then qd run domain=NAME works here.
"""

from collections.abc import Sequence

from qd.cli.parser import command_parser


def main(words: Sequence[str]) -> int:
    """Writes the files and says what to type next. Raises UserError where a name or a file is taken."""
    parser = command_parser("new", __doc__, "qd new NAME [--external | --program]")
    parser.add_argument("name", metavar="NAME", help="of the domain and its module")
    external = "only the yaml, of a domain that another program evaluates (qd ask, qd tell)"
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--external", action="store_true", help=external)
    program = "an executable that is called for each solution, JSON in and JSON out, and its yaml"
    kinds.add_argument("--program", action="store_true", help=program)
    args = parser.parse_args(words)

    from qd.config.scaffold import new

    print("\n".join(map(str, new(args.name, args.external, args.program))))
    print(f"next: qd {'ask' if args.external else 'run'} domain={args.name}")
    return 0
