"""The ``explain`` command."""

import sys
from pathlib import Path
from typing import Literal

from tt_actions.clips.records import Hand
from tt_actions.files import check_writable
from tt_actions.video.types import Roi


def explain(
    *,
    checkpoint: Path,
    clip: Path,
    out: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
    class_: str | None = None,
    method: Literal["hirescam", "grad-cam", "occlusion"] | None = None,
    hand: Hand | None = None,
    pose: str | None = None,
) -> None:
    """Show which pixels of a clip, or which joints and when, support a class.

    Args:
        checkpoint: Checkpoint of a trained model.
        clip: The video file; for a model of joints, a joint file or a video.
        out: Folder to write to; it is created if needed.
        start_s: Start of the clip in seconds (default: 0).
        end_s: End of the clip in seconds (default: the end of the file).
        roi: Region of the frame in pixels (default: that of the training).
        class_: Class to explain (default: the most likely).
        method: For frames, how to weight a feature map: position by position (hirescam, the default), or by
            its mean gradient (grad-cam); or what hiding parts changes (occlusion, the default of a model
            without feature maps). For joints, always occlusion.
        hand: Playing hand, for a model of joints: right or left (default: unknown).
        pose: Model that finds the joints in a video, if the checkpoint reads joints: blazepose, or onnx:PATH
            (default: as in training).

    Raises:
        ValueError: If the checkpoint, the clip, the class or a number is invalid.
        OSError: If there is no checkpoint, or a file can't be written.
    """
    check_writable(out)
    from tt_actions.evaluation import explain as explaining
    from tt_actions.recognition.loading import load

    model = load(checkpoint, pose=pose)
    explanation = explaining.explain(model, clip, start_s, end_s, roi, class_, method, hand)
    explaining.write_explanation(out, explanation, model, str(checkpoint))
    sys.stdout.write(f"{explanation.title}\n{explanation.note(model)}\n{out / 'explanation.png'}\n")
