"""Export of a trained model as ONNX or TorchScript graphs, which are checked against the model."""
