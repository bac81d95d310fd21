"""The contract of all models, checked on every model: a new model is tested automatically.

A failure says what the contract asks for. Letters: B clips, T frames, K classes.
"""

import importlib
import inspect
import io
import pkgutil
import re

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
    try:
        return model_class(num_classes, **options, **OPTIONS.get(model_class.__name__, {}))
    except TypeError as error:
        pytest.fail(
            f"Expected to build the model as {model_class.__name__}(num_classes=4), because the tests know "
            f"no more about it, but got: {error}. Make `num_classes` its first argument, call "
            "super().__init__(num_classes), and give all other arguments defaults. If the tests need other "
            "values, such as a smaller network, add them to OPTIONS in this file. A model of joints has an "
            "argument `layout`, which the tests fill in."
        )


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


INPUTS = (
    f"The tests pass frames {('B', 'T', *FRAME_SHAPE)}, or joints if the model has an argument `layout`. If "
    "it reads something else, add the shape after (B, T) to INPUT_SHAPES in this file."
).replace("'", "")
NO_LEAK = (
    "Expected the same result for a clip alone as in a batch, because padding must never leak: in eval mode, "
    "frames past `lengths` and the other clips must not change the logits of valid frames. Mask what you "
    "average, normalise or attend over, for example with `valid_frames` in tt_actions/models/averages.py."
)
SAME_STEPS = (
    "Expected `advance`, called frame by frame or on stretches with the state that it returned, to give the "
    "logits of `forward` on the whole clip, to within 1e-5. Keep in the state all that later frames need, "
    "use no frame that comes later, and start from zero where the state is None."
)


def close(found, expected, asked, atol=1e-5, rtol=0):
    """Compare tensors; a failure begins with what the contract asks for."""
    torch.testing.assert_close(found, expected, atol=atol, rtol=rtol, msg=lambda said: f"{asked}\n{said}")


def valid_part(logits, lengths):
    return [clip[:length] for clip, length in zip(logits, lengths.tolist(), strict=True)]


def test_models_are_found():
    assert {"CNNLSTM"} <= {model.__name__ for model in MODELS}
    assert CAUSAL


@by_name
@pytest.mark.parametrize("t", [1, 6])
def test_gives_every_frame_logits(model_class, t):
    model = build(model_class)
    try:
        logits = model(draw(model_class, 2, t), torch.full((2,), t))
    except (RuntimeError, ValueError) as error:
        pytest.fail(f"Expected the model to read {t} frames, but got: {error} {INPUTS}")
    assert logits.shape == (2, t, 4), (
        f"Expected logits of every frame, (B, T, K) = (2, {t}, 4), but got {tuple(logits.shape)}. A model "
        "that gives one result per clip repeats it for every frame."
    )
    assert logits.isfinite().all(), "Expected finite logits, also of clips with one frame, but some are not."


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
    assert not dead, (
        f"Expected a gradient in every parameter, but got none in {', '.join(dead)}. Use these parameters in "
        "`forward`, or remove them."
    )


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
        close(logits[k, :length], alone[0], NO_LEAK, rtol=1e-4)
        clip = model.clip_log_probability(alone, LENGTHS[k : k + 1])
        close(log_probs[k], clip[0], NO_LEAK, rtol=1e-4)


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
        close(plain, other, NO_LEAK, atol=1e-6, rtol=1e-5)
    log_probs, spoilt = (model.clip_log_probability(each, LENGTHS) for each in (logits, logits_spoilt))
    close(log_probs, spoilt, NO_LEAK, atol=1e-6, rtol=1e-5)


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
    model, wanted = build(model_class), r"Expected `\w+` to be \(B, T, .* but got \(\d"
    try:
        model(inputs, torch.full((2,), 3))
        said = "no error"
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)
    assert re.match(wanted, said), (
        f"Expected a ValueError that names the shape for inputs of {tuple(inputs.shape)}, but got {said}. "
        "Call `check_frames` or `check_joints` of tt_actions/models/checks.py in `forward` or `advance`."
    )


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
    asked = (
        "Expected loaded weights to give the same result: keep all that is learnt in parameters or buffers."
    )
    close(first(inputs, LENGTHS), second(inputs, LENGTHS), asked, atol=0)


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
    close(torch.stack(steps, 1), model(inputs, torch.full((2,), 6)), SAME_STEPS)


@by_causal_name
@pytest.mark.parametrize("sizes", [(1, 2, 3), (4, 1, 1), (5, 1)])
@torch.no_grad()
def test_advancing_by_stretches_equals_forward(model_class, sizes):
    model = build(model_class).eval()
    inputs, state, stretches = draw(model_class, 2, 6), None, []
    for stretch in inputs.split(sizes, 1):
        logits, state = model.advance(stretch, state)
        stretches.append(logits)
    close(torch.cat(stretches, 1), model(inputs, torch.full((2,), 6)), SAME_STEPS)


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
    kind = "joints" if reads_joints(model_class) else "frames"
    assert model.input_kind == kind, (
        f"Expected `input_kind` to be {kind}, because the model has {'an' if kind == 'joints' else 'no'} "
        f"argument `layout`, but got {model.input_kind}."
    )
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
