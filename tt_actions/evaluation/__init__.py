"""Evaluation: metrics, then tables and figures, then a report."""
