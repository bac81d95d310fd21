"""A trained model as an object: it names clips, finds the strokes in a video, follows a stream."""
