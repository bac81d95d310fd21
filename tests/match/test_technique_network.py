"""Technique networks: counted by hand, and against searches that use no networkx."""

import random
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise, permutations

import pytest

from tt_actions.clips.strokes import Stroke
from tt_actions.match.summary import Rally
from tt_actions.match.technique_network import answer_network, describe_network, own_network

CLASSES = ("serve", "forehand", "backhand", "smash")


def rally(text):
    """A rally from words like ``l:serve``, a stroke a second."""
    words = [word.split(":") for word in text.split()]
    players = {"l": "left", "r": "right"}
    return Rally(
        tuple(Stroke(label, t, t + 0.5, player=players[player]) for t, (player, label) in enumerate(words))
    )


RALLIES = [
    rally("l:serve r:backhand l:forehand r:backhand l:forehand"),
    rally("r:serve l:backhand r:forehand l:smash"),
    rally("l:serve l:forehand r:backhand"),  # the right player's return was missed
]


def edges(network):
    return {(edge.before, edge.after): edge.weight for edge in network.transitions}


def test_own_sequence_leaves_the_opponent_out():
    network = own_network(RALLIES, "left", CLASSES)
    assert edges(network) == {
        ("serve", "forehand"): 2,
        ("forehand", "forehand"): 1,
        ("backhand", "smash"): 1,
    }
    assert network.transitions[0].weight == 2
    strengths = {t.name: (t.in_strength, t.out_strength) for t in network.techniques}
    assert strengths == {"serve": (0, 2), "forehand": (3, 1), "backhand": (0, 1), "smash": (1, 0)}
    groups = {t.name: t.community for t in network.techniques}
    assert groups["serve"] == groups["forehand"] != groups["backhand"] == groups["smash"]


def test_answers_come_right_after_the_opponent():
    assert edges(answer_network(RALLIES, "left", CLASSES)) == {
        ("backhand", "forehand"): 2,
        ("serve", "backhand"): 1,
        ("forehand", "smash"): 1,
    }
    assert edges(answer_network(RALLIES, "right", CLASSES)) == {
        ("serve", "backhand"): 1,
        ("forehand", "backhand"): 2,
        ("backhand", "forehand"): 1,
    }


def test_betweenness_of_a_chain():
    network = answer_network(RALLIES, "left", CLASSES)  # serve -> backhand -> forehand -> smash
    # of six ordered pairs of others: over backhand serve-forehand, serve-smash; over forehand two as well
    assert {t.name: t.betweenness for t in network.techniques} == pytest.approx(
        {"serve": 0, "forehand": 1 / 3, "backhand": 1 / 3, "smash": 0}
    )


def betweenness_by_search(weights, nodes):
    """Try every simple path: the mean share, over pairs, of shortest paths that a node is inside of."""
    total = dict.fromkeys(nodes, 0.0)
    for start, end in permutations(nodes, 2):
        paths = []
        others = [node for node in nodes if node not in (start, end)]
        for size in range(len(others) + 1):
            for middle in permutations(others, size):
                path = (start, *middle, end)
                steps = list(pairwise(path))
                if all(step in weights for step in steps):
                    paths.append((sum(Fraction(1, weights[step]) for step in steps), middle))
        if paths:
            shortest = min(length for length, _ in paths)
            best = [middle for length, middle in paths if length == shortest]
            for node in others:
                total[node] += sum(node in middle for middle in best) / len(best)
    pairs = (len(nodes) - 1) * (len(nodes) - 2)
    return {node: value / pairs for node, value in total.items()}


@pytest.mark.parametrize("seed", range(8))
def test_strengths_and_betweenness_equal_a_search_of_all_paths(seed):
    generator = random.Random(seed)
    names = ["a", "b", "c", "d", "e", "f"]
    words = [" ".join(f"l:{name}" for name in generator.choices(names, k=9)) for _ in range(4)]
    network = own_network([rally(text) for text in words], "left", names)
    weights = edges(network)
    nodes = [technique.name for technique in network.techniques]
    expected = betweenness_by_search(weights, nodes)
    for technique in network.techniques:
        assert technique.betweenness == pytest.approx(expected[technique.name])
        assert technique.in_strength == sum(w for (_, after), w in weights.items() if after == technique.name)
        assert technique.out_strength == sum(
            w for (before, _), w in weights.items() if before == technique.name
        )
    assert sum(weights.values()) == 4 * 8


def partitions(nodes):
    if not nodes:
        yield []
        return
    first, *rest = nodes
    for groups in partitions(rest):
        yield [[first], *groups]
        for place in range(len(groups)):
            yield [*groups[:place], [first, *groups[place]], *groups[place + 1 :]]


def modularity(weights, groups):
    """Leicht & Newman 2008, eq. 3, of a directed network."""
    total = sum(weights.values())
    value = Fraction(0)
    for group in groups:
        inside = sum(w for (a, b), w in weights.items() if a in group and b in group)
        out = sum(w for (a, _), w in weights.items() if a in group)
        into = sum(w for (_, b), w in weights.items() if b in group)
        value += Fraction(inside, total) - Fraction(out * into, total**2)
    return value


def test_communities_are_the_best_of_all_divisions():
    names = ["a", "b", "c", "d", "e", "f"]
    words = ["a b c a b c a c b a", "d e f d e f d f e d", "c d"]
    rallies = [rally(" ".join(f"l:{name}" for name in text.split())) for text in words]
    network = own_network(rallies, "left", names)
    best = max(partitions(names), key=lambda groups: modularity(edges(network), groups))
    found = {}
    for technique in network.techniques:
        found.setdefault(technique.community, []).append(technique.name)
    assert list(found.values()) == [["a", "b", "c"], ["d", "e", "f"]]
    assert sorted(map(sorted, best)) == list(found.values())


def test_communities_are_the_same_in_every_process():
    code = (
        "import random\n"
        "from tt_actions.match.summary import Rally\n"
        "from tt_actions.match.technique_network import own_network\n"
        "from tt_actions.clips.strokes import Stroke\n"
        "names = [f'technique {i}' for i in range(12)]\n"
        "labels = random.Random(1).choices(names, k=60)\n"
        "strokes = tuple(Stroke(label, t, t + 0.5, player='left') for t, label in enumerate(labels))\n"
        "print(own_network([Rally(strokes)], 'left', names))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


def test_no_transition_is_an_empty_network():
    network = own_network([rally("l:serve r:smash")], "left", CLASSES)
    assert network.techniques == network.transitions == ()
    assert describe_network(network) == []


def test_what_is_said_needs_enough_strokes():
    few = own_network([rally("l:serve l:smash")] * 7, "left", CLASSES)
    assert describe_network(few) == []
    enough = own_network([rally("l:serve l:smash")] * 8, "left", CLASSES)
    assert describe_network(enough) == ["After their own serve, left mostly plays smash (8 of 8)."]
    even = own_network([rally("l:serve l:smash")] * 4 + [rally("l:serve l:backhand")] * 4, "left", CLASSES)
    assert describe_network(even) == []
    answers = answer_network([rally("r:serve l:smash")] * 8, "left", CLASSES)
    assert describe_network(answers) == [
        "After the opponent's serve, left mostly answers with smash (8 of 8)."
    ]
