"""One training: the task, the trainer, callbacks, the run directory, W&B."""
