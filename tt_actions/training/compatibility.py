"""Checks that the model, the options and the data of a training fit together."""

from collections.abc import Collection

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.models.checks import check_reads
from tt_actions.training.augmentation import ClipAugmentation, check_channels


def check_learning(network: ActionModel, options: Collection[str]) -> None:
    """Check that the options fit the way in which a network learns.

    Args:
        network: The network.
        options: Names of those options given that only gradient training uses.

    Raises:
        ValueError: If a network without gradients gets such options, or any other gets no optimizer.
    """
    name = type(network).__name__
    if not network.learns_by_gradient:
        if options:
            raise UserError(
                f"Expected no options for gradient training with {name}, which is fitted without gradients, "
                f"but got {', '.join(options)}. Remove them."
            )
    elif "optimizer" not in options:
        raise UserError(f"Expected `optimizer` for {name}, such as torch.optim.AdamW, but got none.")


def check_exact_fit(network: ActionModel, is_cut_short: bool, is_balanced: bool) -> None:
    """Check that a model without gradients is fitted to each training clip exactly once.

    Args:
        network: The network.
        is_cut_short: Whether the training may end before its first epoch does.
        is_balanced: Whether clips are drawn with replacement.

    Raises:
        ValueError: If a clip may be skipped or repeated.
    """
    if not network.learns_by_gradient:
        if is_cut_short:
            raise _closed_form_error(network, "Remove `trainer.max_steps` and `trainer.max_time`.")
        if is_balanced:
            raise _closed_form_error(network, "Set `data.balanced` to false.")


def check_frames_are_learnt(
    network: ActionModel, frame_loss: float, has_class_weights: bool, label_smoothing: float
) -> None:
    """Check that training on untrimmed recordings has a per-frame loss, and no options without effect.

    Args:
        network: The network.
        frame_loss: Weight of the per-frame cross-entropy.
        has_class_weights: Whether classes are weighted.
        label_smoothing: Share of the target spread over all classes.

    Raises:
        ValueError: If the model would learn nothing, or an option would have no effect.
    """
    if network.chain is None:
        if not frame_loss:
            raise UserError(
                "Expected `model.frame_loss` to be above 0 for untrimmed recordings, whose frames are what "
                "the model learns, but got 0. Set it to 1."
            )
    elif has_class_weights or label_smoothing:
        raise UserError(
            f"Expected neither `class_weights` nor `label_smoothing` with {type(network).__name__}, which "
            "learns the likelihood of the recordings, but at least one is set. Remove them."
        )


def check_one_process(network: ActionModel, num_processes: int) -> None:
    """Check that a model without gradients is fitted in one process.

    With several processes, each would get only a part of the clips.

    Args:
        network: The network.
        num_processes: Number of training processes.

    Raises:
        ValueError: If there are several.
    """
    if not network.learns_by_gradient and num_processes > 1:
        raise _closed_form_error(network, "Use `--trainer.devices 1`.")


def _closed_form_error(network: ActionModel, advice: str) -> UserError:
    return UserError(
        f"Expected {type(network).__name__} to be fitted in one process, to each training clip exactly once, "
        f"but the options prevent that. {advice}"
    )


def check_input(
    network: ActionModel,
    augmentation: ClipAugmentation | None,
    preprocessing: Preprocessing | JointPreprocessing,
) -> None:
    """Check that a network and its augmentation fit each other and the preprocessed clips.

    Args:
        network: The network.
        augmentation: The augmentation of training clips, or None.
        preprocessing: Preprocessing that turns clips into frames or joints.

    Raises:
        ValueError: If one of them reads joints and another frames, if the joints' layouts or the numbers of
            channels differ, or if MixUp is used for a network that learns one class per frame.
    """
    if augmentation is not None and augmentation.mixup and network.chain is not None:
        raise UserError(
            f"Expected `mixup` to be 0 with {type(network).__name__}, which learns one class per frame, but "
            f"got {augmentation.mixup}. Set `model.augmentation.init_args.mixup` to 0."
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
            kinds = [f"joints of layout {name}" if name else "video frames" for name in (wanted, read)]
            raise UserError(
                f"Expected {kinds[0]} for {type(part).__name__}, but `data.preprocessing` gives {kinds[1]}. "
                "Set `data.preprocessing.layout` for joints, or use an experiment for the other kind of data."
            )
