"""Many trainings: comparisons and sweeps."""
