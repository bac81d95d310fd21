import re

import numpy as np
import pytest
import torch
from moving_arms import strokes

from tt_actions.models import PoseLSTMFuzzy
from tt_actions.models.averages import mean_log_probability
from tt_actions.models.pose_lstm_fuzzy import FuzzyRules


def test_a_rule_fires_by_the_product_of_its_memberships():
    torch.manual_seed(0)
    rules, x, state = FuzzyRules(4, 6, 3, 2), torch.randn(5, 4), torch.randn(5, 6)
    for parameter in rules.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    centres, widths = rules.centres.detach().numpy(), rules.log_widths.exp().detach().numpy()
    weights = rules.weights().detach().numpy()
    each = rules.constants().detach() + (state @ rules.consequents.weight.T).detach().view(5, 3, 2)
    for inputs, own, logits in zip(x.numpy(), each.numpy(), rules(x, state).detach().numpy(), strict=True):
        membership = np.exp(-(((inputs[:, None] - centres) / widths) ** 2) / 2)
        firing = np.array([np.prod(membership**weight) for weight in weights])
        expected = (firing[:, None] * own).sum(0) / firing.sum()
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


def test_far_away_nothing_underflows():
    logits = FuzzyRules(4, 6, 3, 2)(torch.full((1, 4), 1e3), torch.zeros(1, 6))
    assert logits.isfinite().all()


def test_an_input_counts_at_most_once_in_a_rule():
    total = FuzzyRules(4, 6, 3, 2).weights().sum(-1)
    assert ((total > 0) & (total < 1)).all()


def test_rules_are_printed_in_the_features_own_units():
    model = PoseLSTMFuzzy(2, "kinect20", num_rules=2)
    place = model.measure.names.index("right_wrist_above_chest")
    with torch.no_grad():
        model.norm.running_mean[place], model.norm.running_var[place] = 0.5, 0.04
        model.fuzzy.centres[place, 2], model.fuzzy.log_widths[place, 2] = 1.5, np.log(0.5)
        model.fuzzy.antecedents[:] = 0
        model.fuzzy.antecedents[0, place, 2] = 5
        model.fuzzy.antecedents[0, -1, 0] = 4
        model.fuzzy.constants()[0] = torch.tensor([-1.0, 3.0])
    first, second = model.rules(["smash", "serve"], longest=2).splitlines()
    assert first == (
        "IF right_wrist_above_chest is high (0.8 +- 0.1) AND memory_8 is low (-1 +- 1) THEN serve (2.0)"
    )
    assert re.fullmatch(r"IF .* AND .* THEN (serve|smash) \(\d\.\d\)", second)


def test_strokes_are_learnt_and_the_rules_take_part():
    torch.manual_seed(0)
    joints, lengths, labels = strokes(30)
    model = PoseLSTMFuzzy(3, "kinect20", hidden_size=16, num_rules=6, dropout=0.0)
    before = {name: p.detach().clone() for name, p in model.fuzzy.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        log_probs = mean_log_probability(model(joints, lengths), lengths)
        loss = -log_probs[torch.arange(30), labels].mean()
        loss.backward()
        optimizer.step()
    joints, lengths, labels = strokes(30, seed=1)
    with torch.no_grad():
        found = mean_log_probability(model.eval()(joints, lengths), lengths).argmax(1)
    assert (found == labels).float().mean() > 0.8
    assert all((p - before[name]).abs().max() > 0.05 for name, p in model.fuzzy.named_parameters())


def test_a_path_is_refused():
    with pytest.raises(ValueError, match="of a body"):
        PoseLSTMFuzzy(2, "racket")
