"""Which technique follows which: a player's tactics as a directed network.

Techniques are the nodes, and an edge counts how often one follows another, as in the technique networks that
Song et al. read the tactics of table tennis from.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

import networkx as nx

from tt_actions.match.summary import Rally


class Technique(NamedTuple):
    """A node.

    Args:
        name: Class of the strokes.
        in_strength: How often it follows a stroke.
        out_strength: How often a stroke follows it.
        betweenness: Share of the shortest paths between the other techniques that lead over it, where a
            transition is the shorter the more often it is played.
        community: Number, from 0, of the group of techniques that mostly follow each other.
    """

    name: str
    in_strength: int
    out_strength: int
    betweenness: float
    community: int


class Transition(NamedTuple):
    """An edge.

    Args:
        before: Class of the first stroke.
        after: Class of the stroke that follows.
        weight: How often.
    """

    before: str
    after: str
    weight: int


class TechniqueNetwork(NamedTuple):
    """A player's technique network.

    Args:
        player: Whose strokes follow.
        kind: ``own``: they follow the player's own; ``answer``: they follow the opponent's.
        techniques: Those that occur in a transition, in the order of the classes.
        transitions: The most frequent first.
    """

    player: str
    kind: Literal["own", "answer"]
    techniques: tuple[Technique, ...]
    transitions: tuple[Transition, ...]


def own_network(rallies: Sequence[Rally], player: str, class_names: Sequence[str]) -> TechniqueNetwork:
    """Count what a player plays after each own stroke of the same rally, the opponent's between left out.

    Args:
        rallies: Of the match.
        player: Whose.
        class_names: All classes; they give the order.
    """
    own = [[stroke.label for stroke in rally.strokes if stroke.player == player] for rally in rallies]
    return _build(player, "own", (pair for labels in own for pair in pairwise(labels)), class_names)


def answer_network(rallies: Sequence[Rally], player: str, class_names: Sequence[str]) -> TechniqueNetwork:
    """Count what a player answers to each stroke of the opponent.

    Only a player's stroke that comes right after the opponent's in the same rally is an answer. Both players'
    strokes of a class are one node: arrows leave it as the opponent's stroke and reach it as the answer.

    Args:
        rallies: Of the match of two players.
        player: Who answers.
        class_names: All classes; they give the order.
    """
    pairs = (
        (before.label, after.label)
        for rally in rallies
        for before, after in pairwise(rally.strokes)
        if before.player != player == after.player
    )
    return _build(player, "answer", pairs, class_names)


def _build(
    player: str,
    kind: Literal["own", "answer"],
    pairs: Iterable[tuple[str, str]],
    class_names: Sequence[str],
) -> TechniqueNetwork:
    # numbers for nodes: sets of names are in another order in each process, and with them the communities
    numbers = {name: number for number, name in enumerate(class_names)}
    counts = Counter((numbers[before], numbers[after]) for before, after in pairs)
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted({number for pair in counts for number in pair}))
    for (before, after), count in sorted(counts.items()):
        graph.add_edge(before, after, count=count, distance=Fraction(1, count))  # paths tie exactly
    betweenness = nx.betweenness_centrality(graph, weight="distance")
    communities = _find_communities(graph)
    techniques = (
        Technique(
            class_names[node],
            graph.in_degree(node, weight="count"),
            graph.out_degree(node, weight="count"),
            betweenness[node],
            communities[node],
        )
        for node in graph
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    transitions = (Transition(class_names[a], class_names[b], count) for (a, b), count in ranked)
    return TechniqueNetwork(player, kind, tuple(techniques), tuple(transitions))


def _find_communities(graph: "nx.DiGraph[int]") -> dict[int, int]:
    """Number the communities of the Louvain method (Blondel et al. 2008) by their first technique."""
    communities = nx.community.louvain_communities(graph, weight="count", seed=0)
    return {node: number for number, nodes in enumerate(sorted(communities, key=min)) for node in nodes}


def describe_network(network: TechniqueNetwork, least: int = 8, share: float = 0.5) -> list[str]:
    """Say which technique mostly follows which, where there are enough transitions to say so.

    Args:
        network: A player's.
        least: Number of transitions from a technique below which nothing is said of it.
        share: Of them, how many must lead to one technique.
    """
    totals = {technique.name: technique.out_strength for technique in network.techniques}
    after = "own" if network.kind == "own" else "the opponent's"
    verb = "goes on with" if network.kind == "own" else "answers with"
    return [
        f"After {after} {edge.before}, {network.player} mostly {verb} {edge.after} "
        f"({edge.weight} of {totals[edge.before]})."
        for edge in network.transitions
        if totals[edge.before] >= least and edge.weight > share * totals[edge.before]
    ]
