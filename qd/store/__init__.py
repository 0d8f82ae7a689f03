"""The run folder: config, metrics, history, archive, checkpoint and result, so that a run survives anything."""
