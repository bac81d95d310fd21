"""Dynamic programming, compared with explicit sums over all labellings and with hmmlearn."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hmmlearn.hmm import CategoricalHMM, GaussianHMM

from tt_actions.models import chain
from tt_actions.models.chain import forward_backward, log_partition, path_score, viterbi

LENGTHS = torch.tensor([5, 1, 3])
S = 3


def draw(seed=0, dtype=torch.float64, forbid=False):
    """Random potentials of three sequences; their padding contains values that must not leak."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 5, S, generator=generator, dtype=dtype)
    initial, transitions = (2 * torch.randn(*n, generator=generator, dtype=dtype) for n in [(S,), (S, S)])
    for sequence, length in zip(scores, LENGTHS.tolist(), strict=True):
        sequence[length:] = torch.nan
    if forbid:
        initial[1] = -torch.inf
        transitions[0, 2] = transitions[1, 1] = transitions[2, 0] = -torch.inf
        scores[0, 2, 0] = -torch.inf
    return scores, LENGTHS, initial, transitions


def enumerate_paths(scores, length, initial, transitions):
    """All labellings of one sequence, with their scores added up term by term."""
    for path in product(range(S), repeat=length):
        total = initial[path[0]] + sum(scores[t, s] for t, s in enumerate(path))
        yield path, total + sum(transitions[a, b] for a, b in pairwise(path))


@pytest.mark.parametrize("forbid", [False, True])
@pytest.mark.parametrize("learns", [False, True], ids=["without gradient", "with gradient"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_is_as_written_out(forbid, learns, dtype):
    scores, lengths, initial, transitions = draw(1, dtype, forbid)
    parts = (scores.requires_grad_(learns), lengths, initial, transitions)
    marginals, partition = forward_backward(*parts)
    paths, best = viterbi(*parts)
    assert {x.dtype for x in (marginals, partition, best)} == {dtype}
    torch.testing.assert_close(log_partition(*parts), partition)
    for b, length in enumerate(lengths.tolist()):
        written = list(enumerate_paths(scores[b].detach(), length, initial, transitions))
        totals = torch.stack([total for _, total in written])
        torch.testing.assert_close(partition[b].detach(), totals.logsumexp(0))
        torch.testing.assert_close(best[b], totals.max())
        assert tuple(paths[b, :length].tolist()) == written[int(totals.argmax())][0]
        assert (paths[b, length:] == paths[b, length - 1]).all()
        for t, s in product(range(length), range(S)):
            through = torch.stack([total for path, total in written if path[t] == s]).logsumexp(0)
            torch.testing.assert_close(marginals[b, t, s].detach(), through - totals.logsumexp(0))
        torch.testing.assert_close(marginals[b, length:].exp().sum(-1), torch.ones(5 - length, dtype=dtype))


@pytest.mark.parametrize("forbid", [False, True])
def test_the_score_of_a_path_is_as_written_out(forbid):
    scores, lengths, initial, transitions = draw(2, forbid=forbid)
    for labels in torch.randint(S, (20, 3, 5), generator=torch.Generator().manual_seed(0)):
        padded = labels.masked_fill(torch.arange(5) >= lengths[:, None], -100)
        given = path_score(scores, padded, lengths, initial, transitions)
        for b, length in enumerate(lengths.tolist()):
            written = dict(enumerate_paths(scores[b], length, initial, transitions))
            torch.testing.assert_close(given[b], written[tuple(labels[b, :length].tolist())])


def test_both_ways_to_sum_agree_where_products_underflow():
    generator = torch.Generator().manual_seed(0)
    scores = 400 * torch.randn(2, 40, 6, generator=generator, dtype=torch.float64)
    transitions = 300 * torch.randn(6, 6, generator=generator, dtype=torch.float64)
    transitions[torch.rand(6, 6, generator=generator) < 0.5] = -torch.inf
    transitions.fill_diagonal_(-5)
    lengths, initial = torch.tensor([40, 33]), torch.zeros(6, dtype=torch.float64)
    plain = forward_backward(scores, lengths, initial, transitions)
    learning = forward_backward(scores.requires_grad_(), lengths, initial, transitions)
    for one, other in zip(plain, learning, strict=True):
        torch.testing.assert_close(one, other.detach())
    assert plain[0].exp().sum(-1).allclose(torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("learns", [False, True])
def test_an_impossible_sequence_has_no_labelling(learns):
    scores, lengths = torch.zeros(2, 3, 2), torch.tensor([1, 3])
    initial = torch.zeros(2, requires_grad=learns)
    transitions = torch.full((2, 2), -torch.inf)
    marginals, partition = forward_backward(scores, lengths, initial, transitions)
    torch.testing.assert_close(partition.exp(), torch.tensor([2.0, 0.0]))
    assert marginals[1].isneginf().all()
    assert viterbi(scores, lengths, initial, transitions)[1].tolist() == [0, -np.inf]
    if learns:
        partition[0].backward()
        assert initial.grad.isfinite().all()


@pytest.mark.parametrize("forbid", [False, True])
def test_gradients_are_those_of_finite_differences(forbid):
    scores, lengths, initial, transitions = draw(3, forbid=forbid)
    is_valid = torch.arange(5) < lengths[:, None]
    labels = torch.zeros(3, 5, dtype=torch.int64)
    potentials = (scores, initial, transitions)
    free = [values.isfinite() for values in potentials]

    def fill(*values):
        """Potentials with their finite entries changed."""
        return [
            given.masked_scatter(mask, value)
            for given, mask, value in zip(potentials, free, values, strict=True)
        ]

    def figures(*values):
        scores, initial, transitions = fill(*values)
        marginals, partition = forward_backward(scores, lengths, initial, transitions)
        path = path_score(scores, labels, lengths, initial, transitions)
        possible = marginals[is_valid]
        total = log_partition(scores, lengths, initial, transitions)
        return partition, total, possible[possible.isfinite()], path[path.isfinite()]

    given = [values[mask].clone().requires_grad_() for values, mask in zip(potentials, free, strict=True)]
    assert torch.autograd.gradcheck(figures, given)


def test_the_gradient_of_the_partition_is_the_marginals_and_finite_where_forbidden():
    scores, lengths, initial, transitions = draw(4, forbid=True)
    parts = [values.requires_grad_() for values in (scores, initial, transitions)]
    log_partition(scores, lengths, initial, transitions).sum().backward()
    assert all(values.grad.isfinite().all() for values in parts)
    marginals = forward_backward(scores, lengths, initial, transitions)[0].exp()
    is_valid = torch.arange(5) < lengths[:, None]
    torch.testing.assert_close(scores.grad, marginals.masked_fill(~is_valid[..., None], 0).detach())
    assert not initial.grad[1]
    assert not transitions.grad[0, 2]


def test_a_hidden_markov_model_is_decoded_as_hmmlearn_does():
    rng = np.random.default_rng(0)
    model = CategoricalHMM(n_components=4, n_features=5)
    model.startprob_, model.transmat_ = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4), 4)
    model.emissionprob_ = rng.dirichlet(np.ones(5), 4)
    observed = rng.integers(0, 5, (200, 1))
    check_against(model, observed, np.log(model.emissionprob_.T[observed[:, 0]]))


def test_a_left_to_right_model_of_a_gaussian_is_decoded_as_hmmlearn_does():
    rng = np.random.default_rng(1)
    model = GaussianHMM(n_components=3)
    model.startprob_ = np.array([1.0, 0, 0])
    model.transmat_ = np.array([[0.9, 0.1, 0], [0, 0.9, 0.1], [0.1, 0, 0.9]])
    model.means_, model.covars_ = np.array([[0.0], [1.0], [2.0]]), np.ones((3, 1))
    observed = rng.normal(np.repeat([0, 1, 2, 0], 25), 1)[:, None]
    density = -0.5 * (observed - model.means_.T) ** 2 - 0.5 * np.log(2 * np.pi)
    check_against(model, observed, density)


def check_against(model, observed, scores):
    with np.errstate(divide="ignore"):
        potentials = [torch.from_numpy(np.log(p)) for p in (model.startprob_, model.transmat_)]
    parts = (torch.from_numpy(scores)[None], torch.tensor([len(observed)]), *potentials)
    marginals, partition = forward_backward(*parts)
    total, posteriors = model.score_samples(observed)
    np.testing.assert_allclose(marginals[0].exp(), posteriors, atol=1e-9)
    assert partition.item() == pytest.approx(total)
    paths, best = viterbi(*parts)
    score, states = model.decode(observed)
    np.testing.assert_array_equal(paths[0], states)
    assert best.item() == pytest.approx(score)


def test_single_precision_is_enough_for_a_long_sequence():
    generator = torch.Generator().manual_seed(0)
    scores = 3 * torch.randn(1, 3000, 4, generator=generator, dtype=torch.float64)
    parts = (torch.tensor([3000]), torch.zeros(4), 4 * torch.eye(4))
    low = forward_backward(scores.float().requires_grad_(), *parts)
    high = forward_backward(scores, *parts)
    torch.testing.assert_close(low[0].double().detach().exp(), high[0].exp(), atol=1e-4, rtol=0)
    torch.testing.assert_close(low[1].double().detach(), high[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("function", [forward_backward, log_partition, viterbi])
def test_shapes_that_do_not_fit_are_refused(function):
    scores, lengths, initial, transitions = draw()
    with pytest.raises(ValueError, match=r"Expected `scores` \(B, T, S\) .* but got \(5, 3\), \(3,\)"):
        function(scores[0], lengths, initial, transitions)
    with pytest.raises(ValueError, match=r"`transitions` \(S, S\), but got .*, \(2, 3\)\."):
        function(scores, lengths, initial, transitions[:2])


def test_what_stands_for_minus_infinity_is_lost_beside_any_score():
    assert np.float32(chain.LOG_ZERO) + np.float32(1e6) == np.float32(chain.LOG_ZERO)
    assert np.isfinite(np.float32(chain.LOG_ZERO) * 1e6)
