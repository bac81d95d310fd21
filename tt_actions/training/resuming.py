"""Checks of the options with which a run is resumed."""

import warnings
from typing import Any

from jsonargparse import Namespace

from tt_actions.errors import UserError
from tt_actions.files import is_first_process

FIXED_ON_RESUME = (
    "model.network",
    "model.init_from",
    "model.lr_scales",
    "model.optimizer",
    "model.scheduler",
)
"""Options that a resumed run can't change, since its checkpoint depends on them."""


def check_changes(before: Namespace, now: Namespace, checkpoint: dict[str, Any]) -> None:
    """Check the changed options of a resumed run against its checkpoint.

    An option that can't change is an error. A schedule that does not follow `trainer.max_epochs` is a
    warning.

    Args:
        before: The options of the run so far.
        now: The options with which it resumes.
        checkpoint: Contents of its last checkpoint.

    Raises:
        UserError: If an option changed that can't change.
    """
    for name in FIXED_ON_RESUME:
        if now[name] != before[name]:
            raise UserError(
                f"Expected `--resume` to keep the run's `{name}`, since its checkpoint depends on it, "
                "but got another. Remove the option, or start a new run with it."
            )
    epochs = now.trainer.max_epochs
    planned = {state.get("T_max", epochs) for state in checkpoint["lr_schedulers"]} - {epochs}
    if planned and epochs != before.trainer.max_epochs and is_first_process():
        warnings.warn(
            f"The learning-rate schedule continues as planned for {max(planned)} epochs, although "
            f"`trainer.max_epochs` is now {epochs}. Start a new run for a schedule of another length.",
            stacklevel=2,
        )
