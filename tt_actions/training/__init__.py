"""Training of one model: the LightningModule, the trainer, callbacks, the run directory and W&B."""
