"""Small keypoint models in ONNX whose answers are known: they find the coloured markers on a drawn player."""

import cv2
import numpy as np
import pytest

from tt_actions.skeleton.layouts import COCO17, NTU25
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

SIZE = (256, 192)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
MARKERS = {
    "shoulder": ((255, 0, 0), (1, -1, -1)),
    "hip": ((0, 255, 0), (-1, 1, -1)),
    "wrist": ((255, 0, 255), (0.5, -1, 0.5)),
    "ankle": ((0, 0, 255), (-1, -1, 1)),
}
"""For each kind of joint, its colour, and weights that give 1 for this colour and at most 0.5 for others."""

NEAREST = {"elbow": "wrist", "knee": "ankle", "nose": "shoulder", "eye": "shoulder", "ear": "shoulder"}
"""Kinds of joints without a marker of their own, and the kind whose marker they share."""


def kind_of(joint):
    """The kind of joint whose marker a joint of COCO has."""
    name = joint.rpartition("_")[2]
    return NEAREST.get(name, name)


def place_markers(joints):
    """Where the markers are, from the true joints ``(T, 25, 2)``: one for the shoulders, one for the hips."""
    pairs = {"shoulder": ("left", "right"), "hip": ("left", "right"), "wrist": ("right",), "ankle": ("left",)}
    return {
        kind: joints[:, [NTU25.index(f"{side}_{kind}") for side in sides]].mean(1)
        for kind, sides in pairs.items()
    }


def film_markers(folder, num_clips=1, size=(640, 480)):
    """Draw strokes whose player wears the markers; return the places of the markers by video."""
    synthesize(folder / "drawn", num_clips, 2, size=size, num_workers=1)
    found = {}
    for drawn in sorted((folder / "drawn").rglob("*.mp4")):
        with np.load(drawn.with_suffix(".npz")) as truth:
            places, fps = place_markers(truth["joints_2d"]), float(truth["fps"])
        frames = read_frames(drawn).values.copy()
        for number, frame in enumerate(frames):
            for kind, (colour, _) in MARKERS.items():
                centre = places[kind][min(number, len(places[kind]) - 1)].round().astype(int).tolist()
                cv2.circle(frame, centre, max(3, round(size[1] / 70)), colour, -1)
        video = folder / "clips" / drawn.parent.name / drawn.name
        video.parent.mkdir(parents=True, exist_ok=True)
        write_video(video, frames, fps, crf=12)
        found[video] = places
    return found


def save_graph(path, nodes, outputs, constants, inputs=("N", 3, *SIZE), half=False):
    """Write a graph on pictures; ``outputs`` name its results, with their shapes."""
    onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    values = [helper.make_tensor_value_info("image", kind, inputs)]
    results = [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs]
    tensors = [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(
        [helper.make_node(*words, **settings) for words, settings in nodes],
        "markers",
        values,
        results,
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def save_model(path, simcc=False, half=False, batch="N"):
    """Write a model that finds the marker of each of COCO's joints, by heat maps or by SimCC."""
    weights = np.array([MARKERS[kind_of(joint)][1] for joint in COCO17.joints], float)
    number = np.float16 if half else np.float32
    constants = {
        "weights": (weights * STD)[:, :, None, None].astype(number),
        "bias": (weights @ MEAN).astype(number),
    }
    pool = {"kernel_shape": [9, 9], "pads": [4] * 4} if simcc else {"kernel_shape": [4, 4], "strides": [4, 4]}
    nodes = [
        (("Conv", ["image", "weights", "bias"], ["large"]), {}),
        (("AveragePool", ["large"], ["maps"]), pool),
    ]
    outputs = [("maps", (batch, 17, SIZE[0] // 4, SIZE[1] // 4))]
    if simcc:
        constants |= {"over_x": np.array([2]), "over_y": np.array([3])}
        lines = [("ReduceMax", ["maps", f"over_{axis}"], [f"along_{axis}"]) for axis in ("x", "y")]
        nodes += [(words, {"keepdims": 0}) for words in lines]
        outputs = [("along_x", (batch, 17, SIZE[1])), ("along_y", (batch, 17, SIZE[0]))]
    return save_graph(path, nodes, outputs, constants, (batch, 3, *SIZE), half)
