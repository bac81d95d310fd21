"""Joints of the players in a video, by a pose model."""
