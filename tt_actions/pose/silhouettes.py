"""The silhouette of one player in a stretch of video, found by the pose model."""

from pathlib import Path

import numpy as np

from tt_actions.pose.tracker import PoseTracker
from tt_actions.pose.video import AHEAD, borrow_models, no_person
from tt_actions.video.ahead import read_ahead
from tt_actions.video.cuts import Change, CutDetector
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe
from tt_actions.video.scaling import Aspect, fit_size, pad_to_size
from tt_actions.video.silhouette import shrink_masks
from tt_actions.video.types import Image, Roi, Timed


def find_silhouettes(
    video: Path,
    fps: float,
    size: tuple[int, int],
    aspect: Aspect = "pad",
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
) -> Timed:
    """Find the silhouette of one player in each frame of a stretch of video.

    The player is the person whose joints :func:`tt_actions.pose.video.find_poses` would find. The network
    that finds the landmarks also says which pixels show that person. It sees the player at the video's own
    resolution; then the silhouette is scaled to the frame.

    Args:
        video: The video.
        fps: Frames per second.
        size: Height and width of the frames.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        start_s: Start in seconds.
        end_s: End in seconds, or None for the end of the video.
        roi: Region (x0, y0, x1, y1) in pixels that contains the player; None for the whole image.

    Returns:
        The share of each pixel's area that shows the player, 255 for all of it. A frame in which the player
        is not found is empty.

    Shape:
        values ``(T, *size, 1)``, uint8.

    Raises:
        VideoError: If the video can't be read.
        UnreadableError: If no player is found.
        UserError: If the pose model is missing.
    """
    frames = iter_frames(video, fps=fps, start_s=start_s, end_s=end_s, roi=roi)
    silhouettes, times_s = list[Image](), list[float]()
    with borrow_models(1) as (model,):
        tracker, cuts = PoseTracker(model, min(fps, probe(video).fps)), CutDetector()
        last: Image | None = None
        for time_s, image in read_ahead(frames, AHEAD):
            if image is not last:  # an image that is shown again keeps its silhouette
                silhouette = _silhouette(tracker, cuts, image, size, aspect)
            silhouettes.append(silhouette)
            times_s.append(time_s)
            last = image
    found = np.stack(silhouettes)
    if not found.any():
        raise no_person(video, start_s, end_s, roi)
    return Timed(found, np.array(times_s))


def _silhouette(
    tracker: PoseTracker, cuts: CutDetector, image: Image, size: tuple[int, int], aspect: Aspect
) -> Image:
    """Return the silhouette in the next image, scaled to the frame.

    In a tight region, a fast sway of the camera looks like an odd image. The player is followed through it:
    one wrong silhouette at a real cut is better than a gap at each sway.
    """
    was_following = tracker.is_following
    found = tracker.push(image, cuts.push([image]) is Change.CUT)
    if found is None and was_following:
        found = tracker.push(image)  # looks around the place where the player was just lost
    if found is None or found.figure is None:
        return np.zeros((*size, 1), np.uint8)
    height, width = image.shape[:2]
    mask = found.figure.mask((height, width))
    (silhouette,) = shrink_masks(mask[None], fit_size((height, width), size, aspect))
    return pad_to_size(silhouette, size)
