"""What our two local web servers share, `qd label` and `qd view`: who is let in, connections, start, colours and type."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"  # look.css and icon.svg
