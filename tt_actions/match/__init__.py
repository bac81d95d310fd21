"""Analysis of a whole video: streaming inference, strokes, timeline, annotated video, report page."""
