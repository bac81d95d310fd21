"""What is wrong in a stroke, and how to correct it: strokes of joints against reference strokes."""
