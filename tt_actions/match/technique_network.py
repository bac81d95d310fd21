"""Technique networks: which technique follows which, as a directed graph for each player.

Techniques are the nodes, and an edge counts how often one follows another, as in the technique networks with
which Song et al. analyse the tactics of table tennis.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

import networkx as nx

from tt_actions.match.summary import Rally


class Technique(NamedTuple):
    """A node of a technique network.

    Args:
        name: Class of its strokes.
        in_strength: Number of transitions to this technique.
        out_strength: Number of transitions from this technique.
        betweenness: Share of the shortest paths between other techniques that pass through this one; frequent
            transitions are shorter.
        community: Index, from 0, of its group of techniques, which mostly follow each other.
    """

    name: str
    in_strength: int
    out_strength: int
    betweenness: float
    community: int


class Transition(NamedTuple):
    """An edge of a technique network.

    Args:
        before: Class of the first stroke.
        after: Class of the stroke that follows.
        weight: Number of times it occurs.
    """

    before: str
    after: str
    weight: int


class TechniqueNetwork(NamedTuple):
    """The technique network of a player.

    Args:
        player: Player whose strokes come second in each transition.
        kind: ``own``: they follow the player's own strokes; ``answer``: they follow the opponent's.
        techniques: Techniques that occur in a transition, in the order of the classes.
        transitions: Transitions, the most frequent first.
    """

    player: str
    kind: Literal["own", "answer"]
    techniques: tuple[Technique, ...]
    transitions: tuple[Transition, ...]


def own_network(rallies: Sequence[Rally], player: str, class_names: Sequence[str]) -> TechniqueNetwork:
    """Count which own stroke follows each own stroke in the same rally, ignoring the opponent's strokes.

    Args:
        rallies: Rallies of the match.
        player: The player.
        class_names: All classes, in the order of the result.
    """
    own = [[stroke.label for stroke in rally.strokes if stroke.player == player] for rally in rallies]
    return _build(player, "own", (pair for labels in own for pair in pairwise(labels)), class_names)


def answer_network(rallies: Sequence[Rally], player: str, class_names: Sequence[str]) -> TechniqueNetwork:
    """Count which stroke a player plays in reply to each stroke of the opponent.

    Only a stroke directly after the opponent's in the same rally is an answer. Each class is one node for
    both players: edges leave it as the opponent's stroke and reach it as the answer.

    Args:
        rallies: Rallies of a match of two players.
        player: The player who answers.
        class_names: All classes, in the order of the result.
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
    # numbers as nodes: the order of sets of names, and so the communities, would differ between processes
    numbers = {name: number for number, name in enumerate(class_names)}
    counts = Counter((numbers[before], numbers[after]) for before, after in pairs)
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted({number for pair in counts for number in pair}))
    for (before, after), count in sorted(counts.items()):
        graph.add_edge(before, after, count=count, distance=Fraction(1, count))  # exact, so equal paths tie
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
    """Number the communities of the Louvain method (Blondel et al. 2008), ordered by first technique."""
    communities = nx.community.louvain_communities(graph, weight="count", seed=0)
    return {node: number for number, nodes in enumerate(sorted(communities, key=min)) for node in nodes}


def describe_network(network: TechniqueNetwork, least: int = 8, share: float = 0.5) -> list[str]:
    """Describe which technique mostly follows which, if there are enough transitions.

    Args:
        network: The network of a player.
        least: Minimum number of transitions from a technique.
        share: Minimum share of them that leads to one technique.
    """
    totals = {technique.name: technique.out_strength for technique in network.techniques}
    before, verb = ("their own", "plays") if network.kind == "own" else ("the opponent's", "answers with")
    return [
        f"After {before} {edge.before}, {network.player} mostly {verb} {edge.after} "
        f"({edge.weight} of {totals[edge.before]})."
        for edge in network.transitions
        if totals[edge.before] >= least and edge.weight > share * totals[edge.before]
    ]
