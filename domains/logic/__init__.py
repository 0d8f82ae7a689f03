"""Logic synthesis: recipes of Berkeley ABC's commands, on circuits made here or a user's own; every result is proved equal."""
