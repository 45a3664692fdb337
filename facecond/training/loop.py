"""The training loop. Progress is counted in images; running the same command again continues where the last one
stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from facecond import progress
from facecond.config.training import TrainerConfig
from facecond.processes import Processes
from facecond.stopping import StopRequest
from facecond.training.learner import Learner
from facecond.training.run import Event, Run
from facecond.training.state import TrainState


def fit(
    learner: Learner,
    config: TrainerConfig,
    folder: Path,
    *,
    weights_config: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    processes: Processes | None = None,
    label: str = "train",
    on_event: Callable[[Event], None] = lambda event: None,
) -> TrainState:
    """Train until `config.images` images are seen, or take up and go on with what `folder` holds; return the last
    state.

    Writes metrics.jsonl, grids/, tensorboard/, checkpoints/, snapshots/, and in the end weights.safetensors (averaged
    weights, with `weights_config` in its header) and done.json. A finished run returns at once. With
    `stop_after_minutes` the state may come back unfinished. `defaults` (nested JSON values) say what settings mean that
    a checkpoint from before they existed does not hold.

    SIGUSR1 writes a checkpoint and goes on.

    Raises TrainingStoppedError after SIGINT or SIGTERM, with a checkpoint written; TrainingError for a loss that is not
    finite; ConfigError for a batch that cannot be divided; CheckpointError when the folder's run is another one.
    """
    run = Run(learner, config, folder, dict(weights_config), processes or Processes(), on_event, defaults)
    if run.already_finished():
        return run.state
    for module in learner.modules.values():
        module.train()
    began = run.begin()
    bar = progress.bar(label, run.total, initial=run.state.images_seen, shown=run.processes.first, lines=False)
    try:
        with StopRequest() as stop:
            while run.state.images_seen < run.total:
                run.step()
                run.tell_pace()
                bar.update(config.batch_size)
                if run.due(config.log_every):
                    bar.note(" ".join(f"{name} {value:.3g}" for name, value in run.log().items()))
                if run.due(config.snapshot_every):
                    run.snapshot()
                asked, stop.checkpoint = stop.checkpoint, False
                stopping, out_of_time, checkpoint_due = run.processes.any(
                    [stop.received is not None, run.out_of_time(began), asked or run.checkpoint_overdue()]
                )
                if stopping or out_of_time:
                    break
                run.evaluate_if_due()
                if checkpoint_due or run.due(config.checkpoint_every):
                    run.checkpoint()
            if run.state.images_seen >= run.total:
                run.finish()
            else:
                run.leave(stop)
    finally:
        bar.close()
        run.close()
    return run.state
