"""Frames of a video at exact times, in and out."""
