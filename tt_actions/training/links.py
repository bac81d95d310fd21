"""Arguments of the model that the command line takes from the data, such as the number of classes."""

import inspect
from typing import Any

from pytorch_lightning.cli import _InstantiatorFn


class TakenLinks(_InstantiatorFn):
    """Instantiates the model and saves in its checkpoint only the linked arguments that its parts accept.

    The links exist for every network. A part that was saved with an argument of another part could not be
    instantiated again.
    """

    def __call__(
        self, class_type: type[Any], *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any
    ) -> Any:
        """Instantiate the model.

        Args:
            class_type: Class of the model.
            *args: Positional arguments of the model.
            applied_instantiation_links: Linked values, by the full name of the argument that they set.
            **kwargs: Keyword arguments of the model, including its parts.
        """
        links = {}
        for key, value in applied_instantiation_links.items():
            _, part, *rest = key.split(".")
            if not rest or rest[-1] in inspect.signature(type(kwargs[part]).__init__).parameters:
                links[key] = value
        return super().__call__(class_type, *args, applied_instantiation_links=links, **kwargs)
