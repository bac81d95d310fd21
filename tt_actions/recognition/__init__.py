"""A trained model as an object: it classifies clips, finds the strokes in a video and reads streams."""
