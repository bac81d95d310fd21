"""A video that runs: a camera, a stream or a file at its own pace."""
