"""The contract of all models, checked on every model: a new model is tested automatically.

A model needs to be buildable as ``Model(num_classes=4)``; one of joints, which has a ``layout``, is given it.
One that reads something else tells its input's shape past (B, T) in ``INPUT_SHAPES``, and one that has to be
smaller or to step its ``OPTIONS``.
"""

import importlib
import inspect
import io
import pkgutil

import pytest
import torch

import tt_actions.models
from tt_actions.models import STGCN
from tt_actions.models.base import ActionModel
from tt_actions.models.causal import CausalModel
from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.skeleton.layouts import find_layout

INPUT_SHAPES = {"HistogramKernel": (5, 32, 48), "SilhouetteLSTM": (1, 32, 48)}
FRAME_SHAPE = (3, 32, 48)
LAYOUT = find_layout("kinect20")
OPTIONS = {"Fisher": {"num_gaussians": 3}, "STGCN": {"causal": True, "stride": 1}}
LENGTHS = torch.tensor([5, 2, 3])


def discover():
    found = set()
    for module in pkgutil.walk_packages(tt_actions.models.__path__, "tt_actions.models."):
        for _, model in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(model, ActionModel) and not inspect.isabstract(model):
                found.add(model)
    return sorted(found, key=lambda model: model.__name__)


MODELS = discover()
CAUSAL = [model for model in MODELS if issubclass(model, CausalModel)]
DELAYED = [model for model in CAUSAL if "delay" in inspect.signature(model).parameters]
by_causal_name = pytest.mark.parametrize("model_class", CAUSAL, ids=lambda model: model.__name__)
BY_GRADIENT = [model for model in MODELS if not issubclass(model, ClosedFormModel)]
IN_CLOSED_FORM = [model for model in MODELS if issubclass(model, ClosedFormModel)]
by_name = pytest.mark.parametrize("model_class", MODELS, ids=lambda model: model.__name__)


def reads_joints(model_class):
    return "layout" in inspect.signature(model_class).parameters


def make(model_class, num_classes=4, **options):
    options |= {"layout": LAYOUT.name} if reads_joints(model_class) else {}
    return model_class(num_classes, **options, **OPTIONS.get(model_class.__name__, {}))


def build(model_class):
    torch.manual_seed(0)
    model = make(model_class)
    if isinstance(model, ClosedFormModel):
        model.collect(draw(model_class, 4, 6), torch.tensor([6, 2, 4, 5]), torch.arange(4))
        model.solve()
    return model


def draw(model_class, b, t):
    generator = torch.Generator().manual_seed(b * 100 + t)
    if reads_joints(model_class):
        return torch.randn(b, t, LAYOUT.num_coordinates, len(LAYOUT.joints), generator=generator)
    return torch.rand(b, t, *INPUT_SHAPES.get(model_class.__name__, FRAME_SHAPE), generator=generator)


def valid_part(logits, lengths):
    return [clip[:length] for clip, length in zip(logits, lengths.tolist(), strict=True)]


def test_models_are_found():
    assert {"CNNLSTM"} <= {model.__name__ for model in MODELS}
    assert CAUSAL


@by_name
@pytest.mark.parametrize("t", [1, 6])
def test_gives_every_frame_logits(model_class, t):
    model = build(model_class)
    logits = model(draw(model_class, 2, t), torch.full((2,), t))
    assert logits.shape == (2, t, 4)
    assert logits.isfinite().all()


@by_name
def test_clips_that_are_not_over_keep_their_beginning_when_continued(model_class):
    model, inputs = build(model_class).eval(), draw(model_class, 2, 4)
    whole = model.continue_clips(inputs, 7)
    assert whole.shape == (2, 7, *inputs.shape[2:])
    assert whole.isfinite().all()
    torch.testing.assert_close(whole[:, :4], inputs)
    torch.testing.assert_close(model.continue_clips(inputs, 4), inputs)


@by_name
def test_memory_layout_does_not_matter(model_class):
    model, inputs = build(model_class).eval(), draw(model_class, 3, 5)
    last = inputs.movedim(2, -1).contiguous().movedim(-1, 2)  # as frames come from a decoder
    torch.testing.assert_close(
        valid_part(model(last, LENGTHS), LENGTHS), valid_part(model(inputs, LENGTHS), LENGTHS)
    )


@by_name
@pytest.mark.parametrize("is_low", [False, True], ids=["float32", "bfloat16"])
def test_clip_probabilities_sum_to_one(model_class, is_low):
    model = build(model_class).eval()
    with torch.autocast("cpu", enabled=is_low):
        log_probs = model.clip_log_probability(model(draw(model_class, 3, 5), LENGTHS), LENGTHS)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3))


@pytest.mark.parametrize("model_class", BY_GRADIENT, ids=lambda model: model.__name__)
def test_gradient_reaches_every_parameter(model_class):
    model = build(model_class)
    for gate in (p for p in model.parameters() if p.ndim == 0):
        gate.data.fill_(0.3)  # one that starts shut lets no gradient past

    def class_loss(logits):
        return -model.clip_log_probability(logits, LENGTHS)[:, 1].sum()

    loss, logits = model.objective(draw(model_class, 3, 5), LENGTHS, class_loss)
    assert logits.shape == (3, 5, 4)
    loss.backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not dead


@pytest.mark.parametrize("model_class", IN_CLOSED_FORM, ids=lambda model: model.__name__)
def test_a_model_in_closed_form_has_no_parameters_and_keeps_its_fit(model_class):
    model = build(model_class).eval()
    assert not list(model.parameters())
    labels = torch.tensor([2, 0, 1])
    model.collect(draw(model_class, 3, 5), LENGTHS, labels)
    logits, same = model.solve()
    assert logits.shape == (3, 4)
    assert torch.equal(same, labels)
    fresh = build(model_class).eval()
    fresh.load_state_dict(model.state_dict())
    inputs = draw(model_class, 3, 4)
    assert torch.equal(fresh(inputs, LENGTHS.clamp(max=4)), model(inputs, LENGTHS.clamp(max=4)))
    lengths = LENGTHS.clamp(max=4)
    assert not torch.equal(model(inputs, lengths), build(model_class).eval()(inputs, lengths))


@by_name
@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch_or_padding(model_class):
    model = build(model_class).eval()
    inputs = draw(model_class, 3, 5)
    logits = model(inputs, LENGTHS)
    log_probs = model.clip_log_probability(logits, LENGTHS)
    for k, length in enumerate(LENGTHS.tolist()):
        alone = model(inputs[k : k + 1, :length], LENGTHS[k : k + 1])
        torch.testing.assert_close(logits[k, :length], alone[0], atol=1e-5, rtol=1e-4)
        clip = model.clip_log_probability(alone, LENGTHS[k : k + 1])
        torch.testing.assert_close(log_probs[k], clip[0], atol=1e-5, rtol=1e-4)


@by_name
@torch.no_grad()
def test_what_stands_in_the_padding_does_not_matter(model_class):
    model = build(model_class).eval()
    inputs = torch.cat([draw(model_class, 3, 5), draw(model_class, 3, 2)], 1)
    spoilt = inputs.clone()
    for clip, length in zip(spoilt, LENGTHS.tolist(), strict=True):
        clip[length:] = 1e3
    logits, logits_spoilt = model(inputs, LENGTHS), model(spoilt, LENGTHS)
    for plain, other in zip(valid_part(logits, LENGTHS), valid_part(logits_spoilt, LENGTHS), strict=True):
        torch.testing.assert_close(plain, other, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        model.clip_log_probability(logits, LENGTHS),
        model.clip_log_probability(logits_spoilt, LENGTHS),
        atol=1e-6,
        rtol=1e-5,
    )


@by_name
@torch.no_grad()
def test_the_memory_layout_of_loaded_batches_does_not_matter(model_class):
    model = build(model_class).eval()
    inputs = draw(model_class, 3, 5)
    channels_last = inputs.movedim(2, -1).contiguous().movedim(-1, 2)
    torch.testing.assert_close(model(channels_last, LENGTHS), model(inputs, LENGTHS), atol=1e-5, rtol=1e-4)


@by_name
@pytest.mark.parametrize("change", ["missing dimension", "extra dimension"])
def test_wrong_rank_is_refused(model_class, change):
    inputs = draw(model_class, 2, 3)
    inputs = inputs[:, 0] if change == "missing dimension" else inputs[None]
    with pytest.raises(ValueError, match=r"Expected `\w+` to be \(B, T, .* but got \(\d"):
        build(model_class)(inputs, torch.full((2,), 3))


@by_name
@torch.no_grad()
def test_saved_weights_give_the_same_result(model_class):
    first = build(model_class).eval()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    torch.manual_seed(1)
    second = make(model_class).eval()
    second.load_state_dict(torch.load(file, weights_only=True))
    inputs = draw(model_class, 3, 5)
    torch.testing.assert_close(first(inputs, LENGTHS), second(inputs, LENGTHS), atol=0, rtol=0)


@by_name
def test_fewer_than_two_classes_are_refused(model_class):
    with pytest.raises(ValueError, match=r"Expected `num_classes` to be at least 2, but got 1\."):
        make(model_class, num_classes=1)


@by_causal_name
@torch.no_grad()
def test_stepping_through_a_clip_equals_forward(model_class):
    model = build(model_class).eval()
    inputs = draw(model_class, 2, 6)
    steps = step_through(model, inputs)
    torch.testing.assert_close(torch.stack(steps, 1), model(inputs, torch.full((2,), 6)), atol=1e-5, rtol=0)


@by_causal_name
@pytest.mark.parametrize("sizes", [(1, 2, 3), (4, 1, 1), (5, 1)])
@torch.no_grad()
def test_advancing_by_stretches_equals_forward(model_class, sizes):
    model = build(model_class).eval()
    inputs, state, stretches = draw(model_class, 2, 6), None, []
    for stretch in inputs.split(sizes, 1):
        logits, state = model.advance(stretch, state)
        stretches.append(logits)
    torch.testing.assert_close(torch.cat(stretches, 1), model(inputs, torch.full((2,), 6)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("model_class", DELAYED, ids=lambda model: model.__name__)
@pytest.mark.parametrize("num_frames", [1, 4, 6, 100])
@torch.no_grad()
def test_long_recordings_are_read_in_stretches_to_the_same_logits(model_class, num_frames):
    torch.manual_seed(0)
    model = make(model_class, delay=2).eval()
    inputs, lengths = draw(model_class, 2, 6), torch.tensor([6, 4])
    in_stretches = model.forward_in_stretches(inputs / 2, lengths, lambda part: 2 * part, num_frames)
    for found, expected, length in zip(in_stretches, model(inputs, lengths), lengths, strict=True):
        torch.testing.assert_close(found[:length], expected[:length], atol=1e-5, rtol=0)


@pytest.mark.parametrize("model_class", DELAYED, ids=lambda model: model.__name__)
@torch.no_grad()
def test_with_a_delay_a_frame_knows_of_those_that_follow_and_of_no_more(model_class):
    torch.manual_seed(0)
    model = make(model_class, delay=2).eval()
    inputs, lengths = draw(model_class, 2, 6), torch.tensor([6, 4])
    logits = model(inputs, lengths)
    assert logits.shape == (2, 6, 4)
    changed = inputs.clone()
    changed[0, 4:] = 0.5
    later = model(changed, lengths)
    torch.testing.assert_close(later[0, :2], logits[0, :2], atol=1e-5, rtol=0)
    assert (later[0, 2:] - logits[0, 2:]).abs().amax(-1).min() > 1e-5

    held = torch.cat([inputs[1:, :4], inputs[1:, 3:4], inputs[1:, 3:4]], 1)  # what follows the last frame
    streamed = torch.stack(step_through(model, held), 1)[:, 2:]
    torch.testing.assert_close(streamed, logits[1:, :4], atol=1e-5, rtol=0)


def step_through(model, inputs):
    state, steps = None, []
    for inputs_t in inputs.unbind(1):
        logits_t, state = model.step(inputs_t, state)
        steps.append(logits_t)
    return steps


@by_name
def test_says_what_sets_it_apart(model_class):
    """Methods that only some kinds of models support raise an error in others; a property announces them."""
    model, name = build(model_class), model_class.__name__
    inputs, lengths = draw(model_class, 2, 4), torch.full((2,), 4)
    assert model.input_kind == ("joints" if reads_joints(model_class) else "frames")
    assert (model.chain is not None) == (model.frame_network is not model)
    if model.is_causal:
        assert model.advance(inputs)[0].shape == (2, 4, 4)
    else:
        with pytest.raises(TypeError, match=f"{name} is not causal"):
            model.advance(inputs)
    if model.learns_by_gradient:
        with pytest.raises(TypeError, match=f"{name} learns by gradient"):
            model.collect(inputs, lengths, torch.tensor([0, 1]))
        with pytest.raises(TypeError, match=f"{name} learns by gradient"):
            model.solve()


def test_a_graph_network_that_sees_what_follows_is_not_causal():
    assert not STGCN(4, layout=LAYOUT.name).is_causal
    assert STGCN(4, layout=LAYOUT.name, causal=True, stride=1).is_causal
