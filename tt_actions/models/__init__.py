"""The networks: one architecture a file, all on the contract of :mod:`tt_actions.models.base`."""

from tt_actions.models.base import ActionModel as ActionModel
from tt_actions.models.cnn_lstm import CNNLSTM as CNNLSTM
from tt_actions.models.peephole_lstm import PeepholeLSTM as PeepholeLSTM
