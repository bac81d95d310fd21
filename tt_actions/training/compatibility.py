"""Which models, options and data go together in a training."""

from collections.abc import Collection

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.models.checks import check_reads
from tt_actions.training.augmentation import ClipAugmentation, check_channels


def check_learning(network: ActionModel, options: Collection[str]) -> None:
    """Refuse a network that could not learn, and what would not change how it does.

    Args:
        network: The network.
        options: Names of the given options that only training by gradient uses.

    Raises:
        ValueError: If one of these does not suit the network.
    """
    name = type(network).__name__
    if not network.learns_by_gradient:
        if options:
            raise UserError(
                f"Expected no options of training by gradient with {name}, which is fitted without, but got "
                f"{', '.join(options)}. Leave them out."
            )
    elif "optimizer" not in options:
        raise UserError(f"Expected `optimizer` for {name}, such as torch.optim.AdamW, but got none.")


def check_exact_fit(network: ActionModel, is_cut_short: bool, is_balanced: bool) -> None:
    """Refuse to fit a model without gradient to some clips twice, or to what an ended epoch has seen.

    Args:
        network: The network.
        is_cut_short: Whether the training may end before its first epoch does.
        is_balanced: Whether clips are drawn with replacement.

    Raises:
        ValueError: If that would happen.
    """
    if not network.learns_by_gradient:
        if is_cut_short:
            raise _unfit(network, "Leave `trainer.max_steps` and `trainer.max_time` out.")
        if is_balanced:
            raise _unfit(network, "Set `data.balanced` false.")


def check_frames_are_learnt(
    network: ActionModel, frame_loss: float, has_class_weights: bool, label_smoothing: float
) -> None:
    """Refuse to train on untrimmed recordings without a loss of frames, and what would not change it.

    Args:
        network: The network.
        frame_loss: Weight of the frames' cross-entropy.
        has_class_weights: Whether classes are weighted.
        label_smoothing: Share of the target spread over all classes.

    Raises:
        ValueError: If nothing would be learnt, or an option would be without effect.
    """
    if network.chain is None:
        if not frame_loss:
            raise UserError(
                "Expected a loss of frames to learn untrimmed recordings by, but got `frame_loss` 0. "
                "Set `model.frame_loss` 1."
            )
    elif has_class_weights or label_smoothing:
        raise UserError(
            f"Expected no `class_weights` and `label_smoothing` with {type(network).__name__}, which learns "
            "the likelihood of recordings as they are, but got some. Leave them out."
        )


def check_one_process(network: ActionModel, num_processes: int) -> None:
    """Refuse to fit a model without gradient in several processes, each of which sees a part of the clips.

    Args:
        network: The network.
        num_processes: Number of processes that train.

    Raises:
        ValueError: If there are several.
    """
    if not network.learns_by_gradient and num_processes > 1:
        raise _unfit(network, "Use `--trainer.devices 1`.")


def _unfit(network: ActionModel, cure: str) -> UserError:
    return UserError(
        f"Expected {type(network).__name__} to be fitted to all training clips at once, each taken once, but "
        f"the options say otherwise. {cure}"
    )


def check_input(
    network: ActionModel,
    augmentation: ClipAugmentation | None,
    preprocessing: Preprocessing | JointPreprocessing,
) -> None:
    """Refuse a network and an augmentation that don't fit each other or the clips that they get.

    Args:
        network: The network.
        augmentation: The random changes of training clips, or None.
        preprocessing: How clips become frames or joints.

    Raises:
        ValueError: If one of them reads joints and another frames, or joints of another layout, the number
            of channels differs, or clips would be mixed for a network that learns one class a frame.
    """
    if augmentation is not None and augmentation.mixup and network.chain is not None:
        raise UserError(
            f"Expected no `mixup` with {type(network).__name__}, which learns one class of each frame, but "
            f"got {augmentation.mixup}. Set `model.augmentation.init_args.mixup` 0."
        )
    _check_layouts(network, augmentation, preprocessing)
    if isinstance(preprocessing, Preprocessing):
        check_reads(network, preprocessing.num_channels)
        check_channels(augmentation, preprocessing.num_channels)


def _check_layouts(
    network: ActionModel,
    augmentation: ClipAugmentation | None,
    preprocessing: Preprocessing | JointPreprocessing,
) -> None:
    read = preprocessing.layout if isinstance(preprocessing, JointPreprocessing) else None
    parts = [network] if augmentation is None else [network, augmentation]
    for part in parts:
        layout = getattr(part, "layout", None)
        wanted = None if layout is None else layout.name
        if wanted != read:
            said = [f"joints of layout {name}" if name else "frames of video" for name in (wanted, read)]
            raise UserError(
                f"Expected {said[0]} for {type(part).__name__}, but `data.preprocessing` gives {said[1]}. "
                "Set `data.preprocessing.layout` for joints, or use an experiment of the other kind."
            )
