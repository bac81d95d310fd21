"""Joints over time: layouts, files, normalisation, streams and features."""
