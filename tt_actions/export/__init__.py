"""A trained model for programs without PyTorch: its graphs, and the engine that runs them here."""

from tt_actions.export.engine import open_engine as open_engine
from tt_actions.export.export import export_model as export_model
