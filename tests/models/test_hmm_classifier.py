import numpy as np
import pytest
import torch
from hmmlearn.hmm import GMMHMM, GaussianHMM
from moving_arms import strokes
from torch.nn.utils.rnn import pad_sequence

from tt_actions.models.hmm import HMM, align, expect, fit_hmm, maximise
from tt_actions.models.hmm_classifier import HMMClassifier

S, P, PRIOR = 3, 2, 4.0
LENGTHS = torch.tensor([9, 6, 12, 7])


def walks():
    """Frames that walk through the plane, with noise."""
    generator = torch.Generator().manual_seed(0)
    clips = [
        torch.linspace(0, 3, n)[:, None] + torch.randn(n, P, generator=generator) for n in LENGTHS.tolist()
    ]
    return pad_sequence(clips, batch_first=True).double()


def as_hmmlearn(model, **options):
    """The same model in hmmlearn, with the same prior frames."""
    m = model.weights.shape[1]
    if m == 1:
        priors = {"covars_prior": np.full((S, P), PRIOR), "covars_weight": PRIOR + 1}
        theirs = GaussianHMM(S, "diag", transmat_prior=2.0, init_params="", **priors, **options)
        theirs.means_, theirs.covars_ = model.means[:, 0].numpy(), model.spreads[:, 0].square().numpy()
    else:
        priors = {"covars_prior": (PRIOR - 3) / 2, "covars_weight": PRIOR / 2, "weights_prior": 2.0}
        theirs = GMMHMM(S, m, transmat_prior=2.0, init_params="", random_state=0, **priors, **options)
        theirs.means_, theirs.covars_ = model.means.numpy(), model.spreads.square().numpy()
        theirs.weights_ = model.weights.numpy()
    theirs.startprob_, theirs.transmat_ = model.start().exp().numpy(), model.transitions().exp().numpy()
    return theirs


def joined(x):
    return np.concatenate([clip[:length] for clip, length in zip(x.numpy(), LENGTHS.tolist(), strict=True)])


@pytest.mark.parametrize("m", [1, 2])
def test_the_likelihood_is_hmmlearns(m):
    x = walks()
    model = fit_hmm(x, LENGTHS, S, m, 2, PRIOR)
    theirs = as_hmmlearn(model)
    scores = [theirs.score(clip[:length]) for clip, length in zip(x.numpy(), LENGTHS.tolist(), strict=True)]
    np.testing.assert_allclose(model.log_likelihood(x, LENGTHS), scores, atol=1e-4)


def test_a_step_of_the_fit_is_hmmlearns():
    x = walks()
    model = fit_hmm(x, LENGTHS, S, 1, 0, PRIOR)
    theirs = as_hmmlearn(model, n_iter=1).fit(joined(x), LENGTHS.numpy())
    ours = maximise(x, LENGTHS, expect(model, x, LENGTHS), PRIOR)
    np.testing.assert_allclose(ours.means[:, 0], theirs.means_, rtol=1e-6)
    np.testing.assert_allclose(ours.spreads[:, 0].square(), [np.diag(c) for c in theirs.covars_], rtol=1e-6)
    np.testing.assert_allclose(ours.transitions().exp(), theirs.transmat_, atol=1e-8)


def test_mixtures_end_where_hmmlearns_do():
    x = walks()
    model = fit_hmm(x, LENGTHS, S, 2, 300, PRIOR)
    theirs = as_hmmlearn(model, n_iter=5, tol=-1).fit(joined(x), LENGTHS.numpy())
    np.testing.assert_allclose(model.means, theirs.means_, atol=1e-4)
    np.testing.assert_allclose(model.spreads.square(), theirs.covars_, atol=1e-4)
    np.testing.assert_allclose(model.weights, theirs.weights_, atol=1e-4)


def test_frames_begin_in_the_states_in_order():
    x = torch.arange(6.0).view(1, 6, 1)
    states = align(x, torch.tensor([6]), 3, 2)[0]  # (T, S, M)
    assert states.sum(-1).argmax(-1).tolist() == [0, 0, 1, 1, 2, 2]
    assert states.sum((1, 2)).tolist() == [1] * 6
    assert states.sum(0).tolist() == [[1, 1]] * 3


def test_without_clips_a_model_is_what_was_added():
    model = fit_hmm(torch.zeros(0, 4, P), torch.zeros(0, dtype=torch.int64), S, 2, 5, PRIOR)
    assert (model.means == 0).all()
    assert (model.spreads == 1).all()


def fitted(clips, **options):
    sizes = {"num_states": 4, "num_components": 5, **options}
    model = HMMClassifier(3, "kinect20", **sizes).eval()
    model.collect(*clips)
    return model, model.solve()


def test_the_class_of_the_highest_likelihood_wins():
    model, (left_out, labels) = fitted(strokes(18))
    joints, lengths, new_labels = strokes(9, seed=1)
    x = model.components(model.components.read(joints).double())
    likelihood = torch.stack(
        [
            HMM(*(getattr(model, name)[k].double() for name in HMM._fields)).log_likelihood(x, lengths)
            for k in range(3)
        ],
        1,
    )
    log_probs = model.clip_log_probability(model(joints, lengths), lengths)
    torch.testing.assert_close(log_probs.argmax(1), likelihood.argmax(1))
    torch.testing.assert_close(log_probs.argmax(1), new_labels)
    assert (left_out.argmax(1) == labels).all()


def test_left_out_clips_of_noise_are_not_known():
    _, (left_out, _) = fitted((torch.randn(45, 6, 3, 20), torch.full((45,), 6), torch.arange(45) % 3))
    assert left_out.softmax(1).max() < 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [({"num_states": 0}, "`num_states`"), ({"prior": 0.0}, "`prior` > 0"), ({"num_iterations": -1}, ">= 0")],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HMMClassifier(3, "kinect20", **options)
