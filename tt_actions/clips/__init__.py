"""Clips on their way to a network: record, manifest, cache, split, batch, loader."""
