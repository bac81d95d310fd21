"""What the command line hands from the data to the parts of a model, as a checkpoint keeps it."""

import inspect
from typing import Any

from pytorch_lightning.cli import _InstantiatorFn

LINKS = (
    ("plain_preprocessing", "preprocessing"),
    ("class_names", "class_names"),
    ("num_classes", "network.init_args.num_classes"),
    ("num_channels", "network.init_args.in_channels"),
    ("layout", "network.init_args.layout"),
    ("layout", "augmentation.init_args.layout"),
)
"""What the data tell the model; a network or changes that don't take it are not told."""


class TakenLinks(_InstantiatorFn):
    """Makes the model, and keeps for its checkpoint of what is linked to its parts only what they take.

    Links hold for every network; a part that was saved with an argument of another could not be made again.
    """

    def __call__(
        self, class_type: type[Any], *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any
    ) -> Any:
        """Make it.

        Args:
            class_type: Its class.
            *args: Its arguments.
            applied_instantiation_links: Values by the full name of the argument that they are linked to.
            **kwargs: Its arguments, its parts among them.
        """
        links = {}
        for key, value in applied_instantiation_links.items():
            _, part, *rest = key.split(".")
            if not rest or rest[-1] in inspect.signature(type(kwargs[part]).__init__).parameters:
                links[key] = value
        return super().__call__(class_type, *args, applied_instantiation_links=links, **kwargs)
