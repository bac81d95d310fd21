"""Synthetic strokes: drawn videos with exact ground truth."""
