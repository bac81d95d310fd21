"""The trainings on shares of the training clips."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tt_actions.errors import UserError
from tt_actions.studies.trainings import Training


def read_shares(words: Sequence[str]) -> tuple[float, ...]:
    """Read shares of the training clips from a command line, in increasing order and without 1.

    Args:
        words: The shares.

    Raises:
        ValueError: If one is not a number above 0 and at most 1.

    >>> read_shares(["1", "0.3", "0.1"])
    (0.1, 0.3)
    """
    try:
        shares = {float(word) for word in words}
    except ValueError:
        shares = {0.0}
    if not all(0 < share <= 1 for share in shares):
        raise UserError(
            f"Expected `--shares` above 0 and at most 1, but got {','.join(words)}. "
            "Use some such as 0.1,0.3,1."
        )
    return tuple(sorted(shares - {1.0}))


def share_trainings(
    whole: Mapping[tuple[str, int], Training], shares: Sequence[float]
) -> dict[tuple[str, int, float], Training]:
    """Return the trainings on shares of the training clips, those on the fewest clips first.

    Args:
        whole: The training of each model and seed on all training clips.
        shares: The shares.

    Returns:
        The training of each model, seed and share.
    """
    return {
        (model, seed, share): replace(
            training,
            name=f"{model}/share_{share:g}/seed_{seed}",
            options=(
                *training.options,
                *("--data.train_share", f"{share:g}", "--data.share_seed", str(seed)),
                *("--wandb.group", f"{model}, share {share:g}"),
            ),
        )
        for share in shares
        for (model, seed), training in whole.items()
    }
