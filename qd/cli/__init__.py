"""The command line: composes parts by the names in conf, runs them, shows how it goes."""
