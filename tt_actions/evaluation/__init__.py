"""What was measured: numbers, then tables and figures, then a report."""
