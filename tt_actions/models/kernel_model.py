"""Kernel ridge regression: a new clip gets the classes of the training clips that are like it."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.models.ridge import RidgeFit, fit_ridge


class KernelModel(ClosedFormModel):
    """A model that stores the descriptors of its training clips and compares new clips with them.

    The classes are regressed on a kernel. The strength of the ridge, and the temperature that converts scores
    to probabilities, maximise the leave-one-out likelihood of the training clips. If clips are similar, such
    as neighbours from one match, the resulting probabilities are overconfident.

    All frames of a clip get the clip's logits, so its temporal consistency is always 1 and has no meaning.
    Fitting time grows with the third power of the number of clips, and memory with the second: a thousand
    clips take a second or two, ten thousand take many minutes and some 5 GB.

    Args:
        num_classes: Number of classes *K*.
        num_features: Length *D* of a descriptor.
    """

    rows: ClassVar[tuple[str, ...]] = ("described", "coefficients")
    """Names of the buffers with one row per training clip."""

    described: Tensor
    coefficients: Tensor
    temperature: Tensor

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__(num_classes)
        self.register_buffer("described", torch.zeros(0, num_features))  # (N, D): the training clips
        self.register_buffer("coefficients", torch.zeros(0, num_classes))
        self.register_buffer("temperature", torch.ones(()))

    @abstractmethod
    def describe(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the descriptors by which clips are compared.

        Args:
            inputs: Clips, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> ``(B, D)``.
        """

    @abstractmethod
    def compare(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the kernel between descriptors.

        Args:
            some: Descriptors.
            others: Other descriptors.

        Shape:
            some ``(M, D)``, others ``(N, D)`` -> ``(M, N)``.
        """

    def fit(self, features: Tensor, labels: Tensor) -> RidgeFit:
        """Fit the regression to all training clips.

        Args:
            features: Descriptors of the training clips, in double precision.
            labels: Class of each clip.

        Shape:
            features ``(N, D)``, labels ``(N,)``.
        """
        return fit_ridge(self.compare(features, features), labels, self.num_classes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits: the logits of the clip, repeated for each frame.

        Args:
            inputs: Clips, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return self.regress(self.describe(inputs, lengths), inputs.shape[1])

    def regress(self, features: Tensor, num_frames: int) -> Tensor:
        """Return the logits of clips with these descriptors, repeated for each frame.

        Args:
            features: Descriptors.
            num_frames: Number of frames *T*.

        Shape:
            features ``(B, D)`` -> logits ``(B, T, K)``.
        """
        features = features.double()  # as in the fit; small distances need it
        with torch.autocast(features.device.type, enabled=False):
            described, coefficients = self.described.to(features), self.coefficients.to(features)
            scores = self.compare(features, described) @ coefficients
            logits = scores.to(self.temperature) / self.temperature
        return logits[:, None].expand(-1, num_frames, -1)

    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor, hands: Tensor | None = None) -> None:
        """Store the descriptors of a batch of training clips.

        Args:
            inputs: Clips, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Class of each clip.
            hands: Playing hand of each clip: see :meth:`ActionModel.forward_with_hands`; None if unknown.

        Shape:
            inputs ``(B, T, ...)``, lengths, labels and hands ``(B,)``.
        """
        hands = torch.zeros_like(labels) if hands is None else hands
        self.collected.append((self.describe(inputs, lengths), labels, hands))

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a fit to all other clips, and the classes of the clips.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
        device = self.described.device
        features, labels, _ = (torch.cat(parts).cpu() for parts in zip(*self.collected, strict=True))
        self.collected.clear()
        fit = self.fit(features.double(), labels)
        self.described, self.coefficients = features.to(device), fit.coefficients.float().to(device)
        self.temperature = fit.temperature.float().to(device)
        return fit.left_out.float().to(device), labels.to(device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in self.rows:
            saved, own = state_dict.get(prefix + name), getattr(self, name)
            if saved is not None and saved.shape[1:] == own.shape[1:]:
                setattr(self, name, own.new_zeros(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)
