"""One rendering drawn into a square: on matplotlib axes, or as a picture within an svg.

Simple svgs (lines, circles, rectangles, polygons, straight paths) are drawn from their elements; of others, and of
html and audio, matplotlib shows the kind in words, while the svg sheet shows any svg, png and gif as it is.
"""

import base64
import io
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib import patches
from matplotlib.lines import Line2D
from matplotlib.transforms import Affine2D
from PIL import Image

from qd.support.errors import UserError
from qd.types import Rendering

Square = tuple[float, float, float]  # left, bottom, side
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PAINT = ("fill", "stroke", "stroke-width", "opacity")
_LARGEST = 1e30  # coordinate that is drawn: float32 of larger ones overflows
_LINES, _LETTERS = 6, 16  # of a text that fit in a square
Paint = dict[str, str]


def draw(axes: Any, renderings: Sequence[Rendering], squares: Sequence[Square]) -> None:
    """Draws renderings into squares of the axes' data space.

    Args:
        axes: of matplotlib.
        renderings: N of them.
        squares: N of (left, bottom, side), in data units.
    """
    contents = [rendering.content for rendering in renderings]
    for rendering, content, square in zip(renderings, contents, squares, strict=True):
        _draw(axes, rendering.kind, content, square)


def embed(renderings: Sequence[Rendering], squares: Sequence[Square]) -> list[str]:
    """Returns N svg elements that show N renderings in their squares; a picture within a picture runs no script.

    Args:
        renderings: N of them; svg, png and gif are shown as pictures, a text as its first lines, of others the kind in words.
        squares: N of (left, top, side), in svg units.

    Returns:
        N elements, ``<image>`` or ``<text>``.

    Raises:
        ValueError: renderings and squares differ in number.
    """
    contents = [rendering.content for rendering in renderings]
    return [_embed(r.kind, content, square) for r, content, square in zip(renderings, contents, squares, strict=True)]


def _draw(axes: Any, kind: str, content: bytes, square: Square) -> None:
    if kind in ("png", "gif"):
        left, bottom, side = square
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
        height, width = np.array(picture.shape[:2]) / max(picture.shape[:2]) * side
        x, y = left + (side - width) / 2, bottom + (side - height) / 2
        axes.imshow(picture, extent=(x, x + width, y, y + height), interpolation="antialiased", aspect="auto", zorder=2)
    elif kind == "text":
        _write(axes, "\n".join(_wrap(content.decode("utf-8", "replace"))), square, size=3.2)
    elif kind != "svg" or not _draw_svg(axes, content.decode("utf-8", "replace"), square):
        _write(axes, kind, square, size=7)


def _embed(kind: str, content: bytes, square: Square) -> str:
    x, y, side = square
    if kind in ("svg", "png", "gif"):
        subtype = "svg+xml" if kind == "svg" else kind
        data = base64.b64encode(content).decode()
        return f'<image x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" href="data:image/{subtype};base64,{data}"/>'
    words = _wrap(content.decode("utf-8", "replace")) if kind == "text" else [kind]
    lines = "".join(f'<tspan x="{x + side / 20:g}" dy="1.2em">{escape(line)}</tspan>' for line in words)
    return f'<text x="{x:g}" y="{y:g}" font-size="{side / 10:g}" font-family="sans-serif">{lines}</text>'


def _write(axes: Any, words: str, square: Square, size: float) -> None:
    left, bottom, side = square
    words = words.replace("$", r"\$")  # else matplotlib reads mathematics
    axes.text(left + side / 2, bottom + side / 2, words, ha="center", va="center", fontsize=size, clip_on=True)


def _wrap(words: str) -> list[str]:
    lines = textwrap.wrap(words, _LETTERS) or [""]
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "..."]


def _draw_svg(axes: Any, source: str, square: Square) -> bool:
    """Draws the elements of a simple svg; returns False, and draws nothing, where it is not simple."""
    try:
        root = ElementTree.fromstring(source)
        left, top, width, height = _numbers(root.get("viewBox", f"0 0 {root.get('width', '1')} {root.get('height', '1')}"))
        if not 0 < max(width, height) < math.inf:
            raise UserError("viewBox")
        scale = square[2] / max(width, height)
        place = Affine2D().translate(-left - width / 2, -top - height / 2).scale(scale, -scale)
        place.translate(square[0] + square[2] / 2, square[1] + square[2] / 2)
        artists = list(_artists(root, {"fill": "black", "stroke": "none", "stroke-width": "1", "opacity": "1"}))
    except (ElementTree.ParseError, ValueError, KeyError, IndexError, RecursionError):
        return False
    point = scale * 72 * axes.get_window_extent().width / axes.figure.dpi / np.ptp(axes.get_xlim())  # of one svg unit
    for artist in artists:
        artist.set_linewidth(artist.get_linewidth() * point)
        artist.set_transform(place + axes.transData)
        artist.set_zorder(2)
        axes.add_artist(artist)
    return True


def _artists(element: ElementTree.Element, parent_paint: Paint) -> Iterator[Any]:
    """Yields the patches and lines of an element, in svg units. Raises ValueError at what is not simple."""
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name in ("title", "desc", "metadata"):
            continue
        if child.get("transform") or child.get("style") or child.get("class"):
            raise UserError(name)
        paint = parent_paint | {key: child.attrib[key] for key in _PAINT if key in child.attrib}
        if name == "g":
            yield from _artists(child, paint)
        elif name in _SHAPES:
            yield _SHAPES[name](child, _style(paint))
        else:
            raise UserError(name)


def _style(paint: Paint) -> dict[str, Any]:
    return {
        "facecolor": paint["fill"],
        "edgecolor": paint["stroke"],
        "linewidth": _finite(paint["stroke-width"]) if paint["stroke"] != "none" else 0.0,
        "alpha": _finite(paint["opacity"]),
    }


def _line(points: np.ndarray, style: dict[str, Any]) -> Any:
    look = {"color": style["edgecolor"], "linewidth": style["linewidth"], "alpha": style["alpha"]}
    return Line2D(*points.T, solid_joinstyle="round", solid_capstyle="butt", **look)


def _polyline(e: ElementTree.Element, style: dict[str, Any]) -> Any:
    points = np.reshape(_numbers(e.attrib["points"]), (-1, 2))
    if style["facecolor"] == "none":
        return _line(points, style)
    return patches.Polygon(points, closed=False, **style)


def _path(e: ElementTree.Element, style: dict[str, Any]) -> Any:
    steps = re.findall(r"([A-Za-z])([^A-Za-z]*)", re.sub(r"(?<=\d)[eE](?=[-+\d])", "e", e.attrib["d"]))
    if not steps or steps[0][0] != "M" or any(letter not in "ML" for letter, _ in steps[:-1]) or steps[-1][0] not in "MLZz":
        raise UserError("path")
    points = np.concatenate([np.reshape(_numbers(numbers), (-1, 2)) for letter, numbers in steps if letter in "ML"])
    return patches.Polygon(points, closed=steps[-1][0] in "Zz", **style)


_SHAPES: dict[str, Any] = {
    "circle": lambda e, s: patches.Circle((_at(e, "cx"), _at(e, "cy")), _at(e, "r"), **s),
    "ellipse": lambda e, s: patches.Ellipse((_at(e, "cx"), _at(e, "cy")), 2 * _at(e, "rx"), 2 * _at(e, "ry"), **s),
    "rect": lambda e, s: patches.Rectangle((_at(e, "x"), _at(e, "y")), _at(e, "width"), _at(e, "height"), **s),
    "line": lambda e, s: _line(np.array([[_at(e, "x1"), _at(e, "y1")], [_at(e, "x2"), _at(e, "y2")]]), s),
    "polyline": _polyline,
    "polygon": lambda e, s: patches.Polygon(np.reshape(_numbers(e.attrib["points"]), (-1, 2)), **s),
    "path": _path,
}


def _at(element: ElementTree.Element, name: str) -> float:
    return _finite(element.get(name, "0"))


def _numbers(words: str) -> list[float]:
    return [_finite(number) for number in _NUMBER.findall(words)]


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) < _LARGEST:
        raise UserError(f"number {text}")
    return number
