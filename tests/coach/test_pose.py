"""Joints of a video by tiny ONNX models whose answers are known."""

import numpy as np
import pytest

from tt_actions.coach.pose import find_joints, read_heat_maps, read_simcc
from tt_actions.skeleton.keypoint_files import read_csv
from tt_actions.skeleton.layouts import COCO17
from tt_actions.video.encoder import write_video

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
SIZE = (64, 48)


def save(path, nodes, outputs, constants=(), inputs=("N", 3, *SIZE)):
    """A graph on pictures; ``outputs`` name its results."""
    helper = onnx.helper
    values = [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, inputs)]
    results = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs]
    tensors = [helper.make_tensor(name, onnx.TensorProto.INT64, [len(v)], v) for name, v in constants]
    graph = helper.make_graph(nodes, "brightest", values, results, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def brightest_heat_map(path):
    """All 17 joints are where a fourth of the picture is brightest."""
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["image", "channels"], ["grey"]),
        node("AveragePool", ["grey"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        node("Tile", ["small", "times"], ["maps"]),
    ]
    constants = [("channels", [1]), ("times", [1, 17, 1, 1])]
    return save(path, nodes, [("maps", ("N", 17, SIZE[0] // 4, SIZE[1] // 4))], constants)


def brightest_simcc(path):
    node = onnx.helper.make_node
    nodes = [node("ReduceMean", ["image", "channels"], ["grey"])]
    for name in ("x", "y"):
        nodes += [
            node("ReduceMax", ["grey", f"over_{name}"], [f"line_{name}"], keepdims=0),
            node("Tile", [f"line_{name}", "times"], [f"all_{name}"]),
        ]
    constants = [("channels", [1]), ("over_x", [2]), ("over_y", [3]), ("times", [1, 17, 1])]
    outputs = [("all_x", ("N", 17, SIZE[1])), ("all_y", ("N", 17, SIZE[0]))]
    return save(path, nodes, outputs, constants)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A light that goes to and fro, and where it is."""
    path = tmp_path_factory.mktemp("video") / "ball.mp4"
    places = np.array([(80 + 30 * np.sin(t / 9), 60 + 12 * np.cos(t / 7)) for t in range(40)])
    ground = np.random.default_rng(0).integers(20, 60, (120, 160, 1))
    rows, columns = np.ogrid[:120, :160]
    frames = []
    for x, y in places:
        light = 190 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 100)
        frames.append(np.repeat((ground + light[..., None]).astype(np.uint8), 3, axis=2))
    write_video(path, iter(frames), 30)
    return path, places


@pytest.mark.parametrize("make", [brightest_heat_map, brightest_simcc])
def test_joints_are_found_where_the_model_sees_them(tmp_path, video, make):
    path, places = video
    model = make(tmp_path / "model.onnx")
    found = read_csv(find_joints(f"onnx:{model}", path, tmp_path / "out" / "joints.csv"))
    assert found.layout is COCO17
    assert found.joints.shape == (40, 17, 2)
    apart = np.linalg.norm(found.joints[3:, 0] * [1, -1] - places[3:], axis=-1)
    assert np.isnan(apart).sum() <= 3  # where the light is not in the crop
    assert np.nanmedian(apart) < 4
    assert np.array_equal(found.joints, np.repeat(found.joints[:, :1], 17, axis=1), equal_nan=True)


def test_a_model_of_half_precision_is_fed_halves(tmp_path, video):
    path, _ = video
    onnx_model = onnx.load(brightest_heat_map(tmp_path / "model.onnx"))
    for value in (*onnx_model.graph.input, *onnx_model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(onnx_model, str(tmp_path / "half.onnx"))
    whole, half = (
        read_csv(find_joints(f"onnx:{tmp_path / name}.onnx", path, tmp_path / f"{name}.csv")).joints
        for name in ("model", "half")
    )
    assert np.nanmedian(np.abs(whole - half)) < 1


def test_a_peak_is_read_to_a_fraction_of_a_cell():
    maps = np.zeros((1, 17, 16, 12), np.float32)
    maps[0, :, 5, 7], maps[0, :, 5, 8], maps[0, :, 4, 7] = 1, 0.5, 0.2
    x, y, score = read_heat_maps(maps, SIZE)[0, 0]
    assert (x, y, score) == (4 * 7.75 - 0.5, 4 * 5.25 - 0.5, 1)
    along_x, along_y = np.zeros((1, 17, 96)), np.zeros((1, 17, 128))
    along_x[..., 31], along_y[..., 50] = 0.7, 0.9
    assert read_simcc(along_x, along_y, SIZE)[0, 3].tolist() == [15.5, 25, 0.7]


def test_other_models_are_refused(tmp_path, video):
    path, _ = video
    node = onnx.helper.make_node("Identity", ["image"], ["same"])
    other = save(tmp_path / "other.onnx", [node], [("same", ("N", 3, *SIZE))])
    with pytest.raises(ValueError, match=r"but got outputs \[\(8, 3, 64, 48\)\]"):
        find_joints(f"onnx:{other}", path, tmp_path / "a.csv")
    for pose in ("onnx:nowhere.onnx", str(other)):
        with pytest.raises(ValueError, match="Expected `--pose` to be onnx:MODEL"):
            find_joints(pose, path, tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()
