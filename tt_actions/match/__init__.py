"""A whole video: streaming inference, segmentation, timeline, overlay, report page."""
