"""Views: more features of a domain's pictures, by name, each a function of them. B batch, pictures [B, H, W, 3] in 0..1.

Pictures(views={"eye": Eye()})          # conf: domain.views.eye._target_=domains.images.eye.Eye
"""

from collections.abc import Callable, Mapping
from typing import Any

from qd.types import Array, Features

View = Callable[[Array], Array]  # pictures -> [B, ...]
Views = tuple[tuple[str, View], ...]


def pairs(views: Any) -> Views:
    """Returns views as pairs (name, function), which can be hashed, of a mapping or of pairs."""
    return tuple(views.items()) if isinstance(views, Mapping) else tuple((name, view) for name, view in views)


def features(views: Views, draw: Callable[[], Array]) -> Features:
    """Computes views.

    Args:
        views: pairs of name and function.
        draw: returns the pictures; called only where there are views.

    Returns:
        Name -> [B, ...].
    """
    if not views:
        return {}
    image = draw()
    return {name: view(image) for name, view in views}
