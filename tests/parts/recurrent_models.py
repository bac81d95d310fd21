"""Models as a user writes them, of PyTorch's own layers."""

import torch
from torch import nn

from tt_actions.models.averages import valid_frames
from tt_actions.models.base import ActionModel
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames


class Recurrent(CausalModel):
    """The colour of each frame, read by a GRU or an LSTM of PyTorch."""

    def __init__(self, num_classes, layer=nn.GRU, num_layers=1):
        super().__init__(num_classes)
        self.layer = layer(3, 8, num_layers, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def advance(self, inputs, state=None, lengths=None):  # noqa: ARG002
        check_frames(inputs, 3, 1)
        hidden, state = self.layer(inputs.mean((-1, -2)), state)
        return self.head(hidden), state


class Attention(ActionModel):
    """The colour of each frame, read by a transformer of PyTorch."""

    def __init__(self, num_classes):
        super().__init__(num_classes)
        self.embed = nn.Linear(3, 8)
        block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, num_classes)

    def forward(self, inputs, lengths):
        check_frames(inputs, 3, 1)
        padding = ~valid_frames(lengths, inputs.shape[1])
        hidden = self.encoder(self.embed(inputs.mean((-1, -2))), src_key_padding_mask=padding)
        return self.head(torch.nan_to_num(hidden))
