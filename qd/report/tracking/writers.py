"""One class a tracker: opens or resumes a run there, and takes rows of numbers against evaluations.

Nothing but numbers and the settings that are handed over leaves the machine: no code, no environment, no console output.
"""

import importlib.util
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from qd.support.errors import UserError
from qd.support.spelling import unknown

PACKAGES = {"wandb": "wandb", "mlflow": "mlflow", "tensorboard": "tensorboardX"}  # tracker -> the package that it needs


class TrackerWriter(Protocol):
    id: str  # by which the run is resumed

    def row(self, evaluations: int, values: Mapping[str, float]) -> None:
        """Adds numbers at a count of evaluations.

        Args:
            evaluations: the x-axis; no smaller than those before.
            values: name -> finite number.
        """
        ...

    def close(self) -> None:
        """Waits until all is written."""
        ...


def check(tracker: str) -> None:
    """Raises UserError where there is no such tracker, or its package is not installed."""
    if tracker not in PACKAGES:
        raise unknown("tracker", tracker, list(PACKAGES))
    if importlib.util.find_spec(PACKAGES[tracker]) is None:
        raise UserError(f"{tracker} needs the package {PACKAGES[tracker]}", f"type pip install 'qd-atlas[{tracker}]'")


def open_writer(
    tracker: str, name: str, group: str, settings: Mapping[str, Any], id: str | None, folder: Path
) -> TrackerWriter:
    """Opens a run of a tracker, or the same run again.

    Args:
        tracker: wandb, mlflow or tensorboard.
        name: of the run.
        group: project or experiment that it belongs to.
        settings: name -> text or number, shown beside the curves.
        id: of the run where it was opened before; None: it is new.
        folder: where trackers that write files write them.

    Raises:
        UserError: there is no such tracker, or its package is not installed.
    """
    check(tracker)
    return {"wandb": WandbWriter, "mlflow": MlflowWriter, "tensorboard": TensorboardWriter}[tracker](
        name, group, settings, id, folder
    )


class WandbWriter:
    """Weights & Biases; WANDB_MODE=offline writes files to be sent later (wandb sync)."""

    def __init__(self, name: str, group: str, settings: Mapping[str, Any], id: str | None, folder: Path) -> None:
        """Opens a run; arguments as in ``open_writer``. Raises UserError where there is no account."""
        import wandb  # pyright: ignore[reportMissingImports]
        from wandb.errors import UsageError  # pyright: ignore[reportMissingImports]

        quiet = wandb.Settings(
            console="off", silent=True, save_code=False, disable_git=True, disable_job_creation=True, x_disable_stats=True,
            x_disable_meta=True, x_save_requirements=False, symlink=False,
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.id = id or uuid.uuid4().hex[:8]
        project = os.environ.get("WANDB_PROJECT", group)
        try:
            self._run = wandb.init(
                project=project, name=name, id=self.id, resume="allow", config=dict(settings), dir=str(folder), settings=quiet
            )
        except UsageError as error:  # e.g. no account
            raise UserError(f"wandb: {error}", "type wandb login, or WANDB_MODE=offline before the command") from error
        self._run.define_metric("evaluations")
        self._run.define_metric("*", step_metric="evaluations")

    def row(self, evaluations: int, values: Mapping[str, float]) -> None:
        """Adds numbers.

        Args:
            evaluations: the x-axis.
            values: name -> finite number.
        """
        self._run.log({"evaluations": evaluations, **values})

    def close(self) -> None:
        """Waits until all is written."""
        self._run.finish()


class MlflowWriter:
    """MLflow; MLFLOW_TRACKING_URI names the server or the folder."""

    def __init__(self, name: str, group: str, settings: Mapping[str, Any], id: str | None, folder: Path) -> None:
        """Opens a run; arguments as in ``open_writer``. Raises UserError where MLflow can write nowhere."""
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]

        place = os.environ.get("MLFLOW_TRACKING_URI")
        try:
            self._client = MlflowClient(place)
            experiment = self._client.get_experiment_by_name(group)
        except MlflowException as error:
            raise UserError(
                f"MLflow cannot write to {place or 'its own default'} ({str(error).strip().splitlines()[0]})",
                "name a server or a folder: MLFLOW_TRACKING_URI=http://..., or MLFLOW_TRACKING_URI=file:mlruns with "
                "MLFLOW_ALLOW_FILE_STORE=true",
            ) from error
        if id is None:
            number = self._client.create_experiment(group) if experiment is None else experiment.experiment_id
            id = str(self._client.create_run(number, run_name=name).info.run_id)
            for key, value in settings.items():
                self._client.log_param(id, key, value)
        self.id = id

    def row(self, evaluations: int, values: Mapping[str, float]) -> None:
        """Adds numbers; arguments as in ``WandbWriter``."""
        for name, value in values.items():
            self._client.log_metric(self.id, name, value, step=evaluations)

    def close(self) -> None:
        """Waits until all is written."""
        self._client.set_terminated(self.id)


class TensorboardWriter:
    """Event files in RUN/trackers/tensorboard: tensorboard --logdir runs."""

    def __init__(self, name: str, group: str, settings: Mapping[str, Any], id: str | None, folder: Path) -> None:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]

        self.id = id or name
        self._writer = SummaryWriter(
            str(folder / "tensorboard"), write_to_disk=True, filename_suffix=f".{uuid.uuid4().hex[:8]}"
        )
        if id is None:
            self._writer.add_text("settings", "\n".join(f"    {key}: {value}" for key, value in settings.items()), 0)

    def row(self, evaluations: int, values: Mapping[str, float]) -> None:
        """Adds numbers; arguments as in ``WandbWriter``."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, evaluations)

    def close(self) -> None:
        """Waits until all is written."""
        self._writer.close()
