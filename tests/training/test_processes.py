"""Trainings of several processes: what they measure and learn is what one process measures and learns."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from run_files import PATIENCE_S, content, rows
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tt_actions.clips.dataset import Batch
from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.samplers import EpochSampler, PartSampler
from tt_actions.main import main
from tt_actions.models import CNN, CNNLSTM, CRF, MOF, CNNLSTMPlus
from tt_actions.recognition.loading import load
from tt_actions.training.processes import leave_group
from tt_actions.training.task import StrokeTask

SPLITS = ["train"] * 13 + ["val"] * 3 + ["test"] * 7
NOTHING_RANDOM = [
    "--model.augmentation=null",
    "--model.network.dropout=0",
    "--data.preprocessing.sampling=all",  # lengths differ
    "--data.preprocessing.num_frames=40",
    "--model.class_weights=[1,2,3,4]",
    "--model.frame_loss=0.5",
    "--model.optimizer=torch.optim.SGD",
    "--model.optimizer.lr=0.1",
    "--trainer.max_epochs=2",
]


def wait(process, seconds=PATIENCE_S):
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    return output


def only_run(runs):
    [run] = (runs / "tiny").iterdir()
    return run


def is_figure(name):
    return name not in ("epoch", "step") and "lr-" not in name


def divide(strokes, manifest, splits):
    """Write a manifest with these splits, each of all classes."""
    clips = [record for i in range(5) for record in read_manifest(strokes)[i::5]]
    write_manifest(
        manifest,
        [replace(r, split=s, group=f"{i}") for i, (r, s) in enumerate(zip(clips, splits, strict=False))],
    )
    return f"--data.source.path={manifest}"


@pytest.fixture(scope="module")
def uneven(strokes, tmp_path_factory):
    """Options of a set that two processes can't share evenly: 13, 3 and 7 clips."""
    return [*NOTHING_RANDOM, divide(strokes, tmp_path_factory.mktemp("uneven") / "uneven.csv", SPLITS)]


@pytest.fixture(scope="module")
def alone(tiny, uneven, tmp_path_factory):
    """The run of one process with batches of four."""
    runs = tmp_path_factory.mktemp("alone")
    main(["train", *tiny, *uneven, "--data.batch_size=4", "--runs", str(runs)])
    return only_run(runs)


def test_two_processes_learn_and_measure_what_one_does(start, tiny, uneven, alone, tmp_path):
    """Two batches of two are one of four; of the last batch, one process has no clip."""
    devices = ["--data.batch_size=2", "--trainer.devices=2", "--trainer.accelerator=cpu"]
    output = wait(start("train", *tiny, *uneven, *devices, "--runs", tmp_path))
    assert "Warning" not in output
    assert output.count("epoch 2/2") == 1
    together = only_run(tmp_path)
    for mine, theirs in zip(rows(together / "metrics.csv"), rows(alone / "metrics.csv"), strict=True):
        for name, figure in theirs.items():
            assert float(mine[name] or "nan") == pytest.approx(
                float(figure or "nan"), abs=1e-6, nan_ok=True
            ), name
    mine, theirs = (json.loads((run / "report" / "metrics.json").read_text()) for run in (together, alone))
    assert mine["num_clips"] == 7
    for name, figure in theirs.items():
        if isinstance(figure, float):
            assert mine[name] == pytest.approx(figure, abs=1e-6), name
    for stroke, figures in theirs["per_class"].items():
        assert mine["per_class"][stroke] == pytest.approx(figures, abs=1e-6)
    tables = [rows(run / "report" / "predictions.csv") for run in (together, alone)]
    assert [row["name"] for row in tables[0]] == [row["name"] for row in tables[1]]
    assert [row["predicted"] for row in tables[0]] == [row["predicted"] for row in tables[1]]
    mine, theirs = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (together, alone)
    )
    for name, weight in theirs.items():
        assert torch.allclose(mine[name], weight, atol=1e-5), name


def test_a_set_with_fewer_clips_than_processes_is_tested(start, tiny, uneven, alone, strokes, tmp_path):
    tested = rows(alone / "report" / "predictions.csv")[0]
    manifest = tmp_path / "one.csv"
    [record] = [r for r in read_manifest(strokes) if r.name == tested["name"]]
    write_manifest(manifest, [replace(record, split="test")])
    words = [*tiny, *uneven, f"--data.source.path={manifest}", "--trainer.devices=2", "--ckpt_path"]
    process = start("test", *words, alone / "checkpoints" / "best.ckpt", "--runs", tmp_path)
    assert "Warning" not in wait(process)
    [row] = rows(only_run(tmp_path) / "report" / "predictions.csv")
    for name in ("predicted", "name"):
        assert row[name] == tested[name]


LABELS = [0] * 12 + [1] * 4 + [2] * 2


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("num_processes", [2, 4])
def test_the_parts_of_the_processes_are_together_the_order_of_one(balanced, num_processes):
    order = EpochSampler(LABELS, balanced)
    parts = [PartSampler(order, num_processes, i) for i in range(num_processes)]
    drawn = Counter()
    for epoch in range(100):
        order.set_epoch(epoch)
        whole = list(order)
        for part in parts:
            part.set_epoch(epoch)
        taken = [list(part) for part in parts]
        assert {len(part) for part in taken} == {len(parts[0])}
        by_turns = [item for turn in zip(*taken, strict=True) for item in turn]
        assert by_turns[: len(whole)] == whole
        assert by_turns[len(whole) :] == [None] * (len(by_turns) - len(whole))
        drawn.update(LABELS[item[0]] for item in by_turns if item)
    if balanced:
        for label in range(3):
            assert drawn[label] / drawn.total() == pytest.approx(1 / 3, abs=0.04)


CLASSES = ["serve", "forehand", "smash"]
PREPROCESSING = asdict(Preprocessing(fps=10, size=(16, 16), num_frames=6))


def networks():
    """Networks without batch normalisation and dropout, with the same weights in every process."""
    torch.manual_seed(0)
    small = {"channels": [4, 4, 4], "feature_size": 8}
    return [
        CNNLSTM(3, **small, hidden_size=8, average="learned"),
        CNN(3, **small),
        MOF(3, **small),
        CNNLSTMPlus(3, channels=[8, 8], hidden_size=8, dropout=0.0),
        CRF(3, partial(CNNLSTM, **small, hidden_size=8)),
    ]


def joint_batch():
    """Four clips so uneven in lengths, labels and weights that means over halves are not those over all.

    The second process's have no frame label but one, and one of its clips has a single frame.
    """
    frames = torch.rand(4, 6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    none = [-100] * 6
    frame_labels = [[0] * 6, [1] * 3 + [-100] * 3, none, [*none[:2], 2, *none[3:]]]
    lengths, labels = torch.tensor([6, 3, 1, 4]), torch.tensor([0, 1, 2, 0])
    return Batch(frames, lengths, labels, torch.tensor(frame_labels), list("abcd"))


def part_of(batch, clips):
    """Some clips of a batch, padded to the longest of them."""
    longest = int(batch.lengths[clips].max())
    return Batch(
        batch.inputs[clips, :longest],
        batch.lengths[clips],
        batch.label[clips],
        batch.frame_labels[clips, :longest],
        batch.names[clips],
    )


class Step(torch.nn.Module):
    """A training step as a module's forward, through which DDP sees it, as in Lightning."""

    def __init__(self, network):
        super().__init__()
        self.task = StrokeTask(
            network,
            CLASSES,
            PREPROCESSING,
            torch.optim.SGD,
            frame_loss=0.5,
            class_weights=[1.0, 2.0, 5.0],
            label_smoothing=0.1,
        )

    def forward(self, batch):
        return self.task.training_step(batch, 0)


def find_gradients(rank, folder):
    """Take a step of one of two processes on its two clips, with every network; the gradients of each."""
    distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    clips = part_of(joint_batch(), slice(2 * rank, 2 * rank + 2))
    made = networks()
    torch.rand = torch.zeros  # MOF swaps frames at random: now all in every process
    found = [shared_gradients(network, clips) for network in made]
    distributed.barrier()
    leave_group()
    return found


def save_gradients(_, folder):
    torch.save(find_gradients(1, folder), folder / "gradients.pt")


def shared_gradients(network, clips):
    """The gradients of a step, averaged over the processes."""
    step = Step(network)
    parallel = DistributedDataParallel(step)  # averages for as long as it lives
    parallel(clips).backward()
    return {name: p.grad for name, p in step.task.network.named_parameters()}


def test_a_step_of_two_processes_has_the_gradients_of_one_with_their_clips(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "rand", torch.rand)  # what the steps set ends with the test
    expected = []
    batch = joint_batch()
    other = multiprocessing.spawn(save_gradients, (tmp_path,), nprocs=1, join=False)
    found = find_gradients(0, tmp_path)
    deadline = time.monotonic() + PATIENCE_S
    while not other.join(timeout=1):
        assert time.monotonic() < deadline
    for network in networks():
        step = Step(network)
        step(batch).backward()
        expected.append({name: p.grad for name, p in step.task.network.named_parameters()})
    for of_process in (found, torch.load(tmp_path / "gradients.pt", weights_only=True)):
        for network, own, gradients in zip(networks(), of_process, expected, strict=True):
            assert own.keys() == gradients.keys()
            for name, gradient in gradients.items():
                assert torch.allclose(own[name], gradient, atol=1e-5), (type(network), name)


@pytest.mark.skipif(sys.platform != "linux", reason="lists threads as Linux does")
def test_no_thread_of_the_group_outlives_the_command(tmp_path):
    """One that lives on can abort the interpreter as it ends."""
    distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    wrapped = DistributedDataParallel(torch.nn.Linear(2, 2))
    wrapped.itself = [wrapped]  # a cycle, as a trainer and its model are
    wrapped(torch.ones(1, 2)).sum().backward()
    del wrapped
    assert [name for name in thread_names() if "gloo" in name]
    leave_group()
    assert not [name for name in thread_names() if "gloo" in name]


def thread_names():
    return [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]


def launch(words):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*torchrun, "-m", "tt_actions.main", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


FROZEN = '--model.lr_scales={"cnn": 0}'
"""A part that does not learn: it has no gradients, which processes must know beforehand."""


def test_torchrun_makes_one_run_and_decodes_every_clip_once(tiny, strokes, tmp_path):
    """Both begin with an empty cache, one of them tests no clip, and a frozen part stays as it is."""
    source = divide(strokes, tmp_path / "clips.csv", ["train"] * 20 + ["val"] * 3 + ["test"])
    words = ["train", *tiny, source, FROZEN, "--trainer.max_epochs=1", "--runs"]
    cache = tmp_path / "cache"
    with launch([*words, tmp_path / "runs", f"--data.cache_dir={cache}"]) as process:
        output = wait(process)
    assert output.count("epoch 1/1") == 1
    assert output.count("Decoding into") <= 1  # it is told where it takes long
    assert "Warning" not in output
    run = only_run(tmp_path / "runs")
    assert json.loads((run / "report" / "metrics.json").read_text())["num_clips"] == 1
    assert len(rows(run / "report" / "predictions.csv")) == 1
    assert len(list(cache.rglob("*.npy"))) == 24
    main(["fit", *words[1:], str(tmp_path / "other"), "--trainer.limit_train_batches=1"])
    ours, others = (content(one)["state_dict"] for one in (run, only_run(tmp_path / "other")))
    same = {name for name, weight in ours.items() if torch.equal(weight, others[name])}
    assert same == {name for name in ours if name.startswith("network.cnn.")}


DECODE = """
import sys, time
from pathlib import Path
from tt_actions.clips import cache, specs
from tt_actions.clips.manifest import read_manifest
def counted(*args, **options):
    print("decoded")
    time.sleep(0.02)
    return read(*args, **options)
read, specs.read_frames = specs.read_frames, counted
folder = Path(sys.argv[2])
(folder / sys.argv[3]).touch()
while len(list(folder.glob("ready*"))) < 2:
    time.sleep(0.001)
cache.FrameCache(folder).build(read_manifest(Path(sys.argv[1])), specs.FrameSpec(10, (16, 16)))
"""


def test_processes_that_want_the_same_frames_at_once_decode_each_clip_once(strokes, tmp_path):
    words = [sys.executable, "-c", DECODE, str(strokes), str(tmp_path)]
    processes = [
        subprocess.Popen([*words, f"ready{i}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(out.count("decoded") for out, _ in said) == 24
    assert sum(err.count("Waiting for another process") for _, err in said) == 1


def test_a_training_ends_when_one_of_its_processes_is_killed(start, tiny, tmp_path):
    import psutil

    process = start("train", *tiny, "--trainer.devices=2", "--trainer.max_epochs=5000", "--runs", tmp_path)
    for line in process.stdout:
        if line.startswith("epoch    1/"):
            break
    [other] = psutil.Process(process.pid).children()
    other.kill()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0


def test_ctrl_c_stops_two_processes_with_one_notice(start, tiny, tmp_path):
    process = start("train", *tiny, "--trainer.devices=2", "--trainer.max_epochs=5000", "--runs", tmp_path)
    for line in process.stdout:
        if line.startswith("epoch    2/"):
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert output.count("Stopped in epoch") == 1


@pytest.mark.filterwarnings("ignore:You passed `Trainer.accelerator='cpu', precision='16-mixed'")
def test_precision_that_a_cpu_has_not_is_refused(tiny, tmp_path):
    with pytest.raises(
        ValueError, match=r"`trainer.precision` to be one that a CPU supports, but got 16-mixed"
    ):
        main(["fit", *tiny, "--trainer.precision=16-mixed", "--runs", str(tmp_path)])


def test_a_profile_lies_in_the_run_directory(tiny, tmp_path):
    main(["fit", *tiny, "--trainer.profiler=simple", "--trainer.max_epochs=1", "--runs", str(tmp_path)])
    assert "run_training_epoch" in (only_run(tmp_path) / "profile" / "fit-simple.txt").read_text()


def test_gradients_may_be_accumulated_and_clipped(tiny, tmp_path):
    options = ["--trainer.accumulate_grad_batches=2", "--trainer.gradient_clip_val=0.5"]
    main(["fit", *tiny, *options, "--trainer.max_epochs=1", "--runs", str(tmp_path)])
    last = torch.load(only_run(tmp_path) / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 3  # 16 clips in batches of 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("network", ["CNN", "R3DTransformer"])
def test_a_compiled_training_leaves_a_plain_checkpoint(start, tiny, tmp_path, network):
    """Batches of many lengths too, which not every network can be compiled for at once."""
    options = ["--compile=true", "--trainer.max_epochs=1", "--data.batch_size=4"]
    options += [f"--model.network={network}", "--model.network.channels=[4,4,4]"]
    options += ["--data.preprocessing.sampling=all", "--data.preprocessing.num_frames=40"]
    wait(start("train", *tiny, *options, "--runs", tmp_path))
    checkpoint = only_run(tmp_path) / "checkpoints" / "best.ckpt"
    keys = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert not any("_orig_mod" in key for key in keys)
    assert load(checkpoint).network._compiled_call_impl is None
