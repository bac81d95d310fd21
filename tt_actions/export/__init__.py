"""Export of a trained model as ONNX or TorchScript graphs, which are checked against the model."""

from tt_actions.export.export import export_model as export_model
