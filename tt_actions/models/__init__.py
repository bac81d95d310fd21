"""The networks: one architecture per file, all derived from :mod:`tt_actions.models.base`."""

from tt_actions.models.base import ActionModel as ActionModel
from tt_actions.models.c3d import C3D as C3D
from tt_actions.models.cnn import CNN as CNN
from tt_actions.models.cnn_lstm import CNNLSTM as CNNLSTM
from tt_actions.models.cnn_lstm_plus import CNNLSTMPlus as CNNLSTMPlus
from tt_actions.models.crf import CRF as CRF
from tt_actions.models.fisher import Fisher as Fisher
from tt_actions.models.histogram_kernel import HistogramKernel as HistogramKernel
from tt_actions.models.hmm_classifier import HMMClassifier as HMMClassifier
from tt_actions.models.joint_kernel import JointKernel as JointKernel
from tt_actions.models.lstm import LSTM as LSTM
from tt_actions.models.mof import MOF as MOF
from tt_actions.models.peephole_lstm import PeepholeLSTM as PeepholeLSTM
from tt_actions.models.pose_lstm_fuzzy import PoseLSTMFuzzy as PoseLSTMFuzzy
from tt_actions.models.r3d_transformer import R3DTransformer as R3DTransformer
from tt_actions.models.silhouette_lstm import SilhouetteLSTM as SilhouetteLSTM
from tt_actions.models.skeleton_c3d import SkeletonC3D as SkeletonC3D
from tt_actions.models.skeleton_lstm import SkeletonLSTM as SkeletonLSTM
from tt_actions.models.stgcn import STGCN as STGCN
from tt_actions.models.swing_net import SwingNet as SwingNet
from tt_actions.models.trajectory_cnn import TrajectoryCNN as TrajectoryCNN
