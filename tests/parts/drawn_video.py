"""Numbered pictures, and video files made of them."""

import av
import numpy as np

from tt_actions.video.encoder import write_video

SUFFIXES = [".mp4", ".mov", ".mkv", ".avi", ".ts"]


def picture(number):
    """A picture that carries its number in black and white blocks, which compression can't blur away."""
    bits = [number >> bit & 1 for bit in range(10)]
    return np.repeat(np.repeat(np.uint8(bits).reshape(2, 5) * 255, 16, 0), 16, 1)[..., None].repeat(3, 2)


def number(frame):
    height, width = frame.shape[0] // 2, frame.shape[1] // 5
    bits = frame[height // 2 :: height, width // 2 :: width, 0][:2, :5].ravel() > 127
    return int((bits * 2 ** np.arange(10)).sum())


def numbers(frames):
    return [number(frame) for frame in frames]


def encode(path, stamps, time_base, *, rate=25, container_format=None, **options):
    """Write numbered pictures at given timestamps, by PyAV alone."""
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", **options})
        stream.width, stream.height, stream.pix_fmt = 80, 32, "yuv420p"
        stream.codec_context.time_base = time_base
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(i))
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decode_plainly(path):
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


def draw_all(folder):
    """Write forty pictures at 20 fps in every container."""
    files = {suffix: folder / f"drawn{suffix}" for suffix in SUFFIXES}
    for path in files.values():
        write_video(path, [picture(i) for i in range(40)], fps=20)
    return files
