"""One search in one folder: run, resume, refit, stop, console, many seeds, sweeps, external evaluation."""
