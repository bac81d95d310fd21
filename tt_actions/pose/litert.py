"""Networks of MediaPipe, run by LiteRT."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np

from tt_actions.errors import UserError

_LOADING = Lock()


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Hide the line that LiteRT prints with its first network; it has no setting for that."""
    with _LOADING:
        sys.stderr.flush()
        stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)


class LiteRTNetwork:
    """A network in LiteRT that gets one RGB image, and its outputs by name.

    Args:
        path: The file.
        num_threads: Number of threads.
        size: Height and width of the image.
        outputs: Shape of each output.

    Raises:
        UserError: If LiteRT is not installed, or the file is another network.
    """

    def __init__(self, path: Path, num_threads: int, size: int, outputs: dict[str, tuple[int, ...]]) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                "Expected LiteRT, which runs the pose model, but it is not installed. Install it: "
                "`pip install 'tt-actions[pose]'`."
            ) from error
        try:
            with _without_greeting():
                self._network = Interpreter(str(path), num_threads=num_threads)
                self._network.allocate_tensors()
            (given,) = self._network.get_input_details()
            places = {
                tuple(output["shape"]): output["index"] for output in self._network.get_output_details()
            }
            self._input = given["index"]
            self._outputs = {name: places[shape] for name, shape in outputs.items()}
            if tuple(given["shape"]) != (1, size, size, 3):
                raise ValueError(f"an input of {tuple(given['shape'])}")
        except (ValueError, RuntimeError, KeyError) as error:
            raise UserError(
                f"Expected '{path}' to be a network of BlazePose, but it is not ({error}). Remove it and run "
                "`tt-actions pose fetch`."
            ) from error

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Args:
            image: The image, as the network expects its values.

        Shape:
            image ``(H, W, 3)``, float32.
        """
        self._network.set_tensor(self._input, image[None])
        self._network.invoke()
        return {name: self._network.get_tensor(place) for name, place in self._outputs.items()}
