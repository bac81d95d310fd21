"""Series of trainings: comparisons of models and sweeps over options."""
