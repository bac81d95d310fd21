"""Clips on their way to a network: record, manifest, cache, split, batch and loader."""
