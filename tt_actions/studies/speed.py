"""Computing cost of a network: multiply-adds and clips per second."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import find_layout


def count_multiply_adds(model: Recognizer) -> int:
    """Count the multiply-adds of convolutions and matrix products for one clip.

    Args:
        model: The model; its preprocessing gives the shape of the clip.
    """
    counter = FlopCounterMode(display=False)
    with counter:  # with gradients: otherwise PyTorch runs a transformer as one operator that is not counted
        model(*_random_clips(model, 1))
    return int(counter.get_total_flops()) // 2


def measure_clips_per_second(
    models: Mapping[str, Recognizer], batch_size: int = 8, repeats: int = 7
) -> dict[str, float]:
    """Measure how many clips each model classifies per second, with random frames that are already in memory.

    The models take turns, so that other load on the machine affects all of them equally. On a CPU they use
    one thread: several threads would wait for busy cores, and the measurement would show that instead.

    Args:
        models: The models by name, on the CPU; they are moved to a GPU for the measurement if there is one.
        batch_size: Number of clips per batch.
        repeats: Number of timed batches per model, after two warm-up batches; the result is their median.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    clips = {
        name: [part.to(device) for part in _random_clips(model, batch_size)] for name, model in models.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in models}
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for _ in range(2 + repeats):
            for name, model in models.items():
                seconds[name].append(_timed(partial(model.to(device), *clips[name])))
    torch.set_num_threads(num_threads)
    for model in models.values():
        model.to("cpu")
    return {name: batch_size / median(times[2:]) for name, times in seconds.items()}


def _random_clips(model: Recognizer, num_clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    settings, rng = model.preprocessing, torch.Generator().manual_seed(0)
    shape: tuple[int, ...] = (num_clips, settings.num_frames)
    if isinstance(settings, Preprocessing):
        frames = (*shape, *settings.size, settings.num_channels)
        clips = torch.randint(0, 256, frames, dtype=torch.uint8, generator=rng)
    else:
        joints = (*shape, len(find_layout(settings.layout).joints), settings.num_channels)
        clips = torch.randn(joints, generator=rng)
    lengths = torch.full((num_clips,), settings.num_frames)
    return clips.movedim(-1, 2), lengths  # the same memory order as batches of a data loader


def _timed(work: Callable[[], torch.Tensor]) -> float:
    started_s = time.perf_counter()
    work().sum().item()  # .item() waits for the GPU
    return time.perf_counter() - started_s
