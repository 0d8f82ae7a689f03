"""Programs, written by a language model and run in a sandbox."""
