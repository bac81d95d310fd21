"""A trained model for programs without PyTorch: its graphs, checked against it."""

from tt_actions.export.export import export_model as export_model
