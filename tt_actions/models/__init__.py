"""The networks: one architecture a file, all on the contract of :mod:`tt_actions.models.base`."""
