"""Classification by one hidden Markov model per class."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tt_actions.errors import UserError
from tt_actions.models.checks import check_positive
from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.models.components import PrincipalComponents
from tt_actions.models.hmm import HMM, fit_hmm
from tt_actions.models.ridge import best_temperature
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream

NUM_FOLDS = 5
"""Number of cross-validation parts for estimating the temperature."""


class HMMClassifier(ClosedFormModel):
    """One hidden Markov model per class; the class whose model gives the highest likelihood wins.

    These are the sequence models of the tennis system. The principal components of the joints and their
    motion describe a frame. The states of a class follow one another from left to right, like the phases of a
    stroke. Each state is a mixture of Gaussians with diagonal covariances, fitted to the clips of the class
    by expectation maximisation, which starts from an even division of each clip (Rabiner 1989, sections III.C
    and IV). The variances of each Gaussian include ``prior`` pseudo-frames of variance 1, which is the
    variance of all components, so that a few clips per class suffice.

    The logits are the log-likelihood of the clip per frame, divided by a temperature. The temperature
    maximises the likelihood of the training clips in five-fold cross-validation. If clips are similar, such
    as several of one player, the resulting probabilities are overconfident. All frames of a clip get the
    clip's logits, so the mean softmax over frames is largest for the class of the highest likelihood;
    temporal consistency is always 1 and has no meaning.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
        num_components: Number of principal components per frame.
        num_states: Number of states *S* per class.
        num_gaussians: Number of Gaussians *M* per state.
        num_iterations: Number of iterations of expectation maximisation.
        prior: Number of pseudo-frames of variance 1 that are added to each Gaussian.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a number is out of range, or the layout or a stream is unknown.
    """

    stay: Tensor
    leave: Tensor
    weights: Tensor
    means: Tensor
    spreads: Tensor
    temperature: Tensor

    layout: Layout
    graph_obstacle = "it sums over its states frame by frame"

    def __init__(
        self,
        num_classes: int,
        layout: str,
        streams: Sequence[Stream] = ("joint", "joint_motion"),
        num_components: int = 20,
        num_states: int = 8,
        num_gaussians: int = 2,
        num_iterations: int = 10,
        prior: float = 30.0,
    ) -> None:
        super().__init__(num_classes)
        check_positive(num_states=num_states, num_gaussians=num_gaussians)
        if num_iterations < 0 or prior <= 0:
            raise UserError(
                f"Expected `num_iterations` >= 0 and `prior` > 0, but got {num_iterations} and {prior}."
            )
        self.layout = find_layout(layout)
        self.components = PrincipalComponents(self.layout, streams, num_components)
        self.num_states, self.num_gaussians = num_states, num_gaussians
        self.num_iterations, self.prior = num_iterations, prior
        size = (num_classes, num_states, num_gaussians, self.components.num_components)
        for name, rank in zip(HMM._fields, (2, 2, 3, 4, 4), strict=True):
            self.register_buffer(name, torch.ones(size[:rank]))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits: the logits of the clip, repeated for each frame.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        with torch.autocast(inputs.device.type, enabled=False):
            x = self.components(self.components.read(inputs).double())
            likelihood = self.log_likelihood(x, lengths) / lengths[:, None]
            logits = likelihood.to(self.temperature) / self.temperature
        return logits[:, None].expand(-1, inputs.shape[1], -1)

    def log_likelihood(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-likelihood of clips under each class's model.

        Args:
            x: Components of each frame, padded to the longest clip.
            lengths: Number of valid frames of each clip.

        Shape:
            x ``(B, T, P)``, lengths ``(B,)`` -> ``(B, K)``.
        """
        parts = [getattr(self, name).to(x) for name in HMM._fields]
        return likelihoods([HMM(*values) for values in zip(*parts, strict=True)], x, lengths)

    def collect(
        self,
        inputs: Tensor,
        lengths: Tensor,
        labels: Tensor,
        hands: Tensor | None = None,  # noqa: ARG002
    ) -> None:
        """Store the input of a batch of training clips.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Class of each clip.
            hands: Playing hand of each clip: see :meth:`ActionModel.forward_with_hands`; None if unknown.

        Shape:
            inputs ``(B, T, C, V)``, lengths, labels and hands ``(B,)``.
        """
        clips = zip(self.components.read(inputs), lengths.tolist(), labels.tolist(), strict=True)
        self.collected += [(clip[:length], label) for clip, length, label in clips]

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from models fitted to other clips, and the classes of the clips.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
        clips = [clip for clip, _ in self.collected]
        labels = torch.tensor([label for _, label in self.collected])
        self.collected.clear()
        lengths = torch.tensor([len(clip) for clip in clips])
        self.components.fit(torch.cat(clips))
        x = self.components(pad_sequence(clips, batch_first=True)).double().cpu()
        for name, values in zip(HMM._fields, zip(*self._fit(x, lengths, labels), strict=True), strict=True):
            setattr(self, name, torch.stack(values).to(getattr(self, name)))
        scores = self._score_left_out(x, lengths, labels)
        _, temperature = best_temperature(scores, labels)
        self.temperature = temperature.to(self.temperature)
        return (scores / temperature).to(self.means), labels.to(self.means.device)

    def _score_left_out(self, x: Tensor, lengths: Tensor, labels: Tensor) -> Tensor:
        """Return each clip's log-likelihood per frame under models of the other parts: ``(N, K)``."""
        scores = torch.empty(len(x), self.num_classes, dtype=x.dtype)
        folds = torch.empty_like(labels)
        for label in set(labels.tolist()):  # spread each class evenly over the parts
            own = labels == label
            folds[own] = torch.arange(int(own.sum())) % NUM_FOLDS
        for fold in set(folds.tolist()):
            out = folds == fold
            models = self._fit(x[~out], lengths[~out], labels[~out])
            scores[out] = likelihoods(models, x[out], lengths[out]) / lengths[out, None]
        return scores

    def _fit(self, x: Tensor, lengths: Tensor, labels: Tensor) -> list[HMM]:
        """Fit one model per class."""
        sizes = (self.num_states, self.num_gaussians, self.num_iterations, self.prior)
        own = [labels == label for label in range(self.num_classes)]
        return [fit_hmm(x[chosen], lengths[chosen], *sizes) for chosen in own]


def likelihoods(models: Sequence[HMM], x: Tensor, lengths: Tensor) -> Tensor:
    """Return the log-likelihood of clips under several models.

    Args:
        models: One model per class.
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.

    Shape:
        x ``(B, T, P)``, lengths ``(B,)`` -> ``(B, K)``.
    """
    return torch.stack([model.log_likelihood(x, lengths) for model in models], 1)
