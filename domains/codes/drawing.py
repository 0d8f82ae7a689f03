"""A code as SVG: its graph on a circle, and the table of its generators."""

import math

import numpy as np

_COLOURS = {"I": "#eeeeea", "X": "#d1495b", "Y": "#8e5aa8", "Z": "#2b7bba"}
_INPUTS = ("#e0a100", "#3a7d44", "#8a6d3b", "#555555")  # of the words of logical qubits
_SIDE, _SQUARE = 200, 16


def draw(graph: np.ndarray, words: np.ndarray, generators: list[str]) -> str:
    """Returns the picture of one code.

    Args:
        graph: [n] words of the neighbours.
        words: [K] of the logical qubits; qubits in a word have a ring of its colour.
        generators: Pauli words, drawn a row each.
    """
    n, centre = len(graph), _SIDE / 2
    turn = lambda i: 2 * math.pi * i / n - math.pi / 2
    places = [(centre + 78 * math.cos(turn(i)), centre + 78 * math.sin(turn(i))) for i in range(n)]
    edges = "".join(
        f'<line x1="{places[i][0]:.1f}" y1="{places[i][1]:.1f}" x2="{places[j][0]:.1f}" y2="{places[j][1]:.1f}" stroke="#888"/>'
        for i in range(n)
        for j in range(i)
        if int(graph[i]) >> j & 1
    )
    dots = "".join(_qubit(i, x, y, words) for i, (x, y) in enumerate(places))
    squares = "".join(
        f'<rect x="{_SIDE + 10 + _SQUARE * i}" y="{10 + _SQUARE * row}" width="{_SQUARE - 2}" height="{_SQUARE - 2}" '
        f'fill="{_COLOURS[letter]}"/>'
        for row, word in enumerate(generators)
        for i, letter in enumerate(word)
    )
    width, height = _SIDE + 20 + _SQUARE * n, max(_SIDE, 20 + _SQUARE * len(generators))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="9">{edges}{dots}{squares}</svg>'
    )


def _qubit(i: int, x: float, y: float, words: np.ndarray) -> str:
    rings = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{9 + 3 * j}" fill="none" stroke="{_INPUTS[j]}" stroke-width="2"/>'
        for j, word in enumerate(words)
        if int(word) >> i & 1
    )
    return (
        f'{rings}<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="#333"/>'
        f'<text x="{x:.1f}" y="{y + 3:.1f}" text-anchor="middle" fill="#fff">{i}</text>'
    )
