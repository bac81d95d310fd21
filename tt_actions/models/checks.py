"""Checks of the sizes and inputs of a network."""

from torch import Tensor, nn

from tt_actions.errors import UserError


def check_positive(**sizes: int) -> None:
    """Raise an error for a size below 1.

    Args:
        **sizes: Sizes by argument name.

    Raises:
        ValueError: If a size is below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"Expected `{name}` to be at least 1, but got {size}.")


def check_frames(frames: Tensor, in_channels: int, min_size: int) -> None:
    """Raise an error for clips that a network of video frames can't read.

    Args:
        frames: Clips of one batch.
        in_channels: Number of channels *C* that the network reads.
        min_size: Smallest height and width, in pixels, that the network reads.

    Shape:
        frames ``(B, T, C, H, W)``.

    Raises:
        ValueError: If the rank or the channels differ, there is no frame, or a frame is too small.
    """
    shape = tuple(frames.shape)
    if len(shape) != 5 or shape[2] != in_channels:
        raise UserError(
            f"Expected `frames` to be (B, T, {in_channels}, H, W), but got {shape}. "
            "Add the missing dimension, or set `in_channels` of the model."
        )
    if shape[1] < 1 or min(shape[3:]) < min_size:
        raise UserError(
            f"Expected `frames` to contain at least one frame of at least {min_size} x {min_size} pixels, "
            f"but got {shape}. Use longer clips or larger frames."
        )


def check_reads(network: nn.Module, num_channels: int) -> None:
    """Raise an error if a network expects frames with another number of channels.

    Args:
        network: The network; without the attribute ``in_channels`` it reads any number.
        num_channels: Number of channels *C* of the frames.

    Raises:
        ValueError: If the network expects another number.
    """
    in_channels = getattr(network, "in_channels", num_channels)
    if in_channels != num_channels:
        raise UserError(
            f"Expected frames with {in_channels} channels for {type(network).__name__}, but got "
            f"{num_channels} (colour has 3, flow 2, depth or a silhouette 1). Change "
            "`data.preprocessing.flow` or `picture`, or set `in_channels` of a network that has this option."
        )
