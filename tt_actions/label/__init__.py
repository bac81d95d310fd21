"""Marking the strokes of a video by hand, with proposals and a model that learns from the marks."""
