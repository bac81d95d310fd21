"""Live analysis of a camera, a stream, or a file played in real time."""
