"""Synthetic strokes: generated videos with exact ground truth."""
