"""Reading and writing video frames at exact times."""
