"""What a resumed run's options can't change."""

import warnings
from typing import Any

from jsonargparse import Namespace

from tt_actions.errors import UserError
from tt_actions.files import is_first_process

KEPT = ("model.network", "model.init_from", "model.lr_scales", "model.optimizer", "model.scheduler")
"""What a resumed run keeps, since its checkpoint holds what came of it."""


def check_changes(before: Namespace, now: Namespace, checkpoint: dict[str, Any]) -> None:
    """Refuse the options of a resumed run that its checkpoint overrules, or warn of them.

    Args:
        before: The run's own options.
        now: Its options from now on.
        checkpoint: What its last checkpoint holds.

    Raises:
        UserError: If one is refused.
    """
    for name in KEPT:
        if now[name] != before[name]:
            raise UserError(
                f"Expected the run's own `{name}` with `--resume`, since its checkpoint holds what came "
                "of it, but got another. Leave it out, or start a new run with it."
            )
    epochs = now.trainer.max_epochs
    planned = {state.get("T_max", epochs) for state in checkpoint["lr_schedulers"]} - {epochs}
    if planned and epochs != before.trainer.max_epochs and is_first_process():
        warnings.warn(
            f"The schedule of the learning rate goes on as it began, for {max(planned)} epochs, not for "
            f"the {epochs} of `trainer.max_epochs`. Start a new run for a schedule of another length.",
            stacklevel=2,
        )
