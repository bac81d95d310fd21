"""Joints over time: layouts, files, normalisation, augmentation."""
