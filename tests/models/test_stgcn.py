import pytest
import torch
import torch.nn.functional as F
from plain_stgcn import PlainSTGCN

from tt_actions.models import STGCN, TrajectoryCNN
from tt_actions.models.graph_convolution import partitions
from tt_actions.skeleton.layouts import MOVENET13, NTU25


def trained(**options):
    """A network with all weights and statistics changed from their initial values."""
    torch.manual_seed(0)
    model = STGCN(4, "ntu25", channels=(8, 16), **options)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.train()(torch.randn(4, 20, 3, 25), torch.full((4,), 20))  # fills the running statistics
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize("streams", [("joint",), ("joint", "bone", "joint_motion", "bone_motion")])
@pytest.mark.parametrize("num_frames", [20, 21])
def test_plain_layers_give_the_same(streams, num_frames):
    model = trained(streams=streams)
    joints = torch.randn(3, num_frames, 3, 25)
    logits = model(joints, torch.full((3,), num_frames))
    expected = PlainSTGCN(model).eval()(joints)
    torch.testing.assert_close(logits.log_softmax(-1), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_causal_network_that_sees_one_frame_alone_follows_a_stream():
    model = trained(causal=True, stride=1, kernel_size=1)
    joints, state, told = torch.randn(1, 6, 3, 25), None, []
    for frame in joints.unbind(1):
        logits, state = model.step(frame, state)
        told.append(logits)
    torch.testing.assert_close(torch.stack(told, 1), model(joints, torch.tensor([6])))


@torch.no_grad()
@pytest.mark.parametrize("make", [STGCN, TrajectoryCNN])
def test_padding_stays_out_of_the_statistics_of_training(make):
    joints, lengths = torch.randn(4, 16, 3, 15), torch.tensor([16, 9, 12, 16])
    models = []
    for num_frames in (16, 40):
        torch.manual_seed(0)
        model = make(4, "thetis15", dropout=0.0).train()
        models.append((model, model(F.pad(joints, (0, 0, 0, 0, 0, num_frames - 16)), lengths)[:, :8]))
    (short, few), (long, many) = models
    torch.testing.assert_close(few, many, atol=1e-4, rtol=1e-4)
    for (name, one), other in zip(short.named_buffers(), long.buffers(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4, msg=name)


@torch.no_grad()
def test_no_frame_sees_what_comes_after_it_where_the_network_is_causal():
    model = trained(causal=True, stride=1)
    joints = torch.randn(1, 20, 3, 25)
    other = joints.clone()
    other[:, 12:] = torch.randn(1, 8, 3, 25)
    lengths = torch.tensor([20])
    before, after = model(joints, lengths), model(other, lengths)
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])
    frames_later = trained(causal=True, stride=1, delay=3)(joints, lengths)
    assert frames_later.shape == before.shape


@torch.no_grad()
def test_whole_clips_see_all_of_the_clip():
    model = trained()
    joints = torch.randn(1, 20, 3, 25)
    other = joints.clone()
    other[:, 19:] += 1
    lengths = torch.tensor([20])
    assert not torch.allclose(model(joints, lengths)[:, 0], model(other, lengths)[:, 0])
    with pytest.raises(ValueError, match="Expected `causal: true` for frame-by-frame processing"):
        model.step(joints[:, 0], model.advance(joints)[1])


def test_every_stream_is_learnt_by_itself():
    model = trained()
    joints, lengths = torch.randn(2, 20, 3, 25), torch.tensor([20, 15])
    seen = []
    loss, logits = model.objective(joints, lengths, lambda x: seen.append(x) or x.sum())
    assert len(seen) == 3
    torch.testing.assert_close(loss, torch.stack([x.sum() for x in seen]).mean())
    mean = torch.stack([x.softmax(-1) for x in seen[1:]]).mean(0)
    torch.testing.assert_close(logits.exp(), mean)


@pytest.mark.parametrize("layout", [NTU25, MOVENET13])
def test_partitions_counted_by_hand(layout):
    itself, inwards, outwards = partitions(layout)
    torch.testing.assert_close(itself, torch.eye(len(layout.joints)))
    for joint, parent in layout.bones:
        assert inwards[joint, parent] == 1
        assert outwards[parent, joint] == pytest.approx(1 / sum(p == parent for _, p in layout.bones))
    assert inwards[layout.root].sum() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"streams": ()},
        {"streams": ("joint", "joint")},
        {"streams": ("muscle",)},
        {"channels": ()},
        {"kernel_size": 4},
        {"causal": True},
        {"delay": 2},
        {"layout": "x"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        STGCN(**{"num_classes": 4, "layout": "ntu25", **wrong})
