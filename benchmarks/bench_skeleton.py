"""Measure how many sequences of joints STGCN classifies per second, compared with a plain implementation."""

import argparse
from collections.abc import Callable
from statistics import median

import torch
from bench_timing import Repeats, now_s
from plain_stgcn import PlainSTGCN

from tt_actions.models import STGCN

CPU = torch.device("cpu")
SHAPE = (100, 3, 25)
"""Frames, coordinates and joints of a sequence, as for one person in NTU RGB+D."""


def measure_stgcn(repeats: int, num_frames: int = SHAPE[0]) -> Repeats:
    """Measure the sequences per second of both implementations in turns on all threads, and their ratio.

    Args:
        repeats: Number of turns.
        num_frames: Length of the sequences.
    """
    torch.manual_seed(0)
    found: Repeats = {}
    for name, streams in (("stgcn", ("joint", "bone")), ("stgcn_joint", ("joint",))):
        model = STGCN(4, "ntu25", streams=streams).eval()
        plain = PlainSTGCN(model).eval()
        for batch_size in (16, 1):
            joints = torch.randn(batch_size, num_frames, *SHAPE[1:])
            lengths = torch.full((batch_size,), num_frames)
            ours, theirs = [], []
            for _ in range(repeats + 1):
                ours.append(batch_size / _seconds(lambda: model(joints, lengths)))  # noqa: B023
                theirs.append(batch_size / _seconds(lambda: plain(joints)))  # noqa: B023
            found[f"{name}_sequences_per_s_batch_{batch_size}"] = ours[1:]
            found[f"{name}_ratio_batch_{batch_size}"] = [a / b for a, b in zip(ours, theirs, strict=True)][1:]
    return found


@torch.inference_mode()
def _seconds(work: Callable[[], torch.Tensor]) -> float:
    started_s = now_s(CPU)
    work()
    return now_s(CPU) - started_s


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test on short sequences; ignore its numbers"
    )
    options = parser.parse_args()
    for what, values in (measure_stgcn(1, 10) if options.quick else measure_stgcn(15)).items():
        print(f"{what}: {median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
