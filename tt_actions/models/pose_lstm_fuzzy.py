"""Pose and motion features, a peephole LSTM, and readable fuzzy rules."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_positive
from tt_actions.models.frame_cnn import map_valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.pose_features import PoseFeatures
from tt_actions.skeleton.streams import check_joints

LEVELS = ("low", "medium", "high")


class FuzzyRules(nn.Module):
    """Takagi-Sugeno rules (1985) in which all parts are trained.

    Each input has Gaussian membership functions for low, medium and high. The firing strength of a rule is
    the product of the memberships of its inputs, each to the power of a weight. The weights are a softmax
    over low, medium, high and "any"; with "any", an input does not matter. The logits of a rule are a
    constant plus a linear function of a state. The final logits are their mean, weighted by the firing
    strengths. Products are computed as sums of logs, and the weighting as a softmax, so that nothing
    underflows.

    Args:
        num_inputs: Number of inputs *D*, each of variance about 1.
        state_size: Width *H* of the state.
        num_rules: Number of rules *R*.
        num_classes: Number of classes *K*.

    Shape:
        inputs ``(..., D)``, state ``(..., H)`` -> logits ``(..., K)``.
    """

    def __init__(self, num_inputs: int, state_size: int, num_rules: int, num_classes: int) -> None:
        super().__init__()
        check_positive(num_inputs=num_inputs, num_rules=num_rules)
        self.centres = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]).repeat(num_inputs, 1))
        self.log_widths = nn.Parameter(torch.zeros(num_inputs, len(LEVELS)))
        antecedents = torch.randn(num_rules, num_inputs, len(LEVELS) + 1)
        antecedents[..., -1] += 1  # most inputs do not matter
        self.antecedents = nn.Parameter(antecedents)
        self.consequents = nn.Linear(state_size, num_rules * num_classes)
        nn.init.normal_(self.consequents.bias)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Return the logits: the mean of the rules' logits, weighted by their firing strengths.

        Args:
            inputs: Inputs of the rules.
            state: State on which the consequents of the rules depend.

        Shape:
            inputs ``(..., D)``, state ``(..., H)`` -> logits ``(..., K)``.
        """
        firing = self.firing(inputs)
        each = self.consequents(state).view(*firing.shape, -1)  # (..., R, K)
        logits: Tensor = (firing[..., None, :] @ each).squeeze(-2)
        return logits

    def constants(self) -> Tensor:
        """Return the constant part of each rule's logits: ``(R, K)``."""
        return self.consequents.bias.view(len(self.antecedents), -1)

    def firing(self, inputs: Tensor) -> Tensor:
        """Return the normalised firing strength of each rule.

        Args:
            inputs: Inputs of the rules.

        Shape:
            inputs ``(..., D)`` -> shares ``(..., R)``.
        """
        log_memberships = -(((inputs[..., None] - self.centres) / self.log_widths.exp()) ** 2) / 2
        return (log_memberships.flatten(-2) @ self.weights().flatten(1).T).softmax(-1)

    def weights(self) -> Tensor:
        """Return the weight of each level of each input in each rule: ``(R, D, 3)``."""
        return self.antecedents.softmax(-1)[..., :-1]


class PoseLSTMFuzzy(CausalModel):
    """Pose and motion features, read by a peephole LSTM and classified by fuzzy rules.

    After Khobdeh et al., whose network detects the person, follows the person with an LSTM and classifies by
    fuzzy logic; the table-tennis source gives no further details. Our reading: the joints replace the region
    of the person. Standardised angles, heights, speeds and distances of each frame are the input of the LSTM.
    The rules use these features and a few outputs of the LSTM, which summarise the previous frames.
    :meth:`rules` returns the learned rules as text.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout; it must be a body layout.
        hidden_size: Number of LSTM units.
        num_outputs: Number of LSTM outputs that the rules use.
        num_rules: Number of rules.
        dropout: Dropout rate of the LSTM's input and state.
        delay: Delay in frames between a frame and its logits.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, or the layout is unknown or not a body layout.
    """

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        hidden_size: int = 128,
        num_outputs: int = 8,
        num_rules: int = 16,
        dropout: float = 0.3,
        delay: int = 0,
    ) -> None:
        super().__init__(num_classes, delay=delay)
        check_positive(num_outputs=num_outputs)
        self.layout = find_layout(layout)
        self.measure = PoseFeatures(self.layout)
        num_features = len(self.measure.names)
        self.norm = nn.BatchNorm1d(num_features, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.lstm = PeepholeLSTM(num_features, hidden_size)
        self.outputs = nn.Linear(hidden_size, num_outputs)
        self.fuzzy = FuzzyRules(num_features + num_outputs, hidden_size, num_rules, num_classes)

    def advance(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Returns:
            The logits of each frame, and the state for the next call.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_joints(inputs, self.layout)
        before, past = (None, None) if state is None else state
        features = map_valid_frames(self.norm, self.measure(inputs, before), lengths)  # (B, T, F)
        h, past = self.lstm(self.dropout(features), past, lengths)
        h = self.dropout(h)
        outputs = self.outputs(h).tanh() * 2  # about the same range as the features
        return self.fuzzy(torch.cat([features, outputs], -1), h), (inputs[:, -1:], past)

    def rules(self, class_names: Sequence[str], longest: int = 4) -> str:
        """Return the rules as text, one per line, with features in their own units.

        Args:
            class_names: Names of the classes.
            longest: Number of conditions to print per rule: those with the largest weights.

        Returns:
            Lines such as ``IF right_wrist_above_chest is high (0.82 +- 0.10) AND ... THEN serve (1.7)``. The
            last number is the difference between the logit of the class and the mean over all classes.
        """
        mean = self.norm.running_mean
        variance = self.norm.running_var
        assert mean is not None
        assert variance is not None
        num_outputs = self.outputs.out_features
        names = [*self.measure.names, *(f"memory_{i + 1}" for i in range(num_outputs))]
        scales = torch.cat([(variance + self.norm.eps).sqrt(), mean.new_ones(num_outputs)])[:, None]
        offsets = torch.cat([mean, mean.new_zeros(num_outputs)])[:, None]
        centres, widths = self.fuzzy.centres * scales + offsets, self.fuzzy.log_widths.exp() * scales
        lines = []
        for weights, logits in zip(
            self.fuzzy.weights().detach(), self.fuzzy.constants().detach(), strict=True
        ):
            conditions = []
            for i in weights.amax(1).topk(min(longest, len(names))).indices.tolist():
                level = int(weights[i].argmax())
                value = f"({centres[i, level]:.3g} +- {widths[i, level]:.2g})"
                conditions.append(f"{names[i]} is {LEVELS[level]} {value}")
            best = int(logits.argmax())
            above = float(logits[best] - logits.mean())
            lines.append(f"IF {' AND '.join(conditions)} THEN {class_names[best]} ({above:.1f})")
        return "\n".join(lines)
