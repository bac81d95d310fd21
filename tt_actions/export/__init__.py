"""A trained model for programs without PyTorch: its graphs, and the engine that runs them here."""

from tt_actions.export.export import export_model as export_model
from tt_actions.recognition.onnx_recognizer import open_engine as open_engine
