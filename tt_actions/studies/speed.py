"""How much a network computes, and how fast."""

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
    """Count the multiply-adds of convolutions and matrix products for one clip of the task's shape.

    Args:
        model: A model.
    """
    counter = FlopCounterMode(display=False)
    with counter:  # and with gradients: without, PyTorch runs a transformer in one step that is not counted
        model(*_random_clips(model, 1))
    return int(counter.get_total_flops()) // 2


def measure_clips_per_second(
    models: Mapping[str, Recognizer], batch_size: int = 8, repeats: int = 7
) -> dict[str, float]:
    """Measure how many clips of random frames, already in memory, each model names in a second.

    The models take turns, so that what else the machine does meets all alike; on a CPU in one thread, as
    threads that wait for each other on busy cores measure those.

    Args:
        models: The models by name; on a CPU, and moved to a GPU while they are measured where there is one.
        batch_size: Clips at once.
        repeats: Batches of each that are timed after two that are not; the median counts.
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
    how, rng = model.preprocessing, torch.Generator().manual_seed(0)
    shape = (num_clips, how.num_frames)
    if isinstance(how, Preprocessing):
        clips = torch.randint(0, 256, (*shape, *how.size, how.num_channels), dtype=torch.uint8, generator=rng)
    else:
        clips = torch.randn(*shape, len(find_layout(how.layout).joints), how.num_channels, generator=rng)
    return clips.movedim(-1, 2), torch.full((num_clips,), how.num_frames)  # in memory as a loader's batches


def _timed(work: Callable[[], torch.Tensor]) -> float:
    started_s = time.perf_counter()
    work().sum().item()  # waits for a GPU
    return time.perf_counter() - started_s
