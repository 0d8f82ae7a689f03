"""`qd log RUN --to wandb|mlflow|tensorboard`: a run's numbers in an experiment tracker, afterwards or while it runs.

``log`` reads metrics.csv and events.jsonl and remembers what a tracker has; ``writers`` has one class a tracker; ``live``
starts the same command beside a run (``qd run log=wandb``).
"""
