"""The cells of a CVT as polygons."""

from typing import Any

import numpy as np


def voronoi(centroids: np.ndarray, bounds: Any) -> list[np.ndarray]:
    """Returns the cell of each centroid [C, 2] as a polygon, cut off at the bounds.

    Mirrored in each side of the bounds the centroids wall themselves in: the sides become edges of the diagram.

    Args:
        centroids: [C, 2], within the bounds.
        bounds: [2, 2], (low, high) of each measure.

    Returns:
        C arrays, one for each centroid: its corners, two measures each.
    """
    from scipy.spatial import Voronoi  # a third of a second, for a CVT only

    low, high = np.asarray(bounds, float).T
    unit = (np.asarray(centroids, float) - low) / (high - low)
    images = [unit]
    for axis in (0, 1):
        for side in (0.0, 1.0):
            image = unit.copy()
            image[:, axis] = 2 * side - image[:, axis]
            images.append(image)
    diagram = Voronoi(np.concatenate(images))
    cells = [diagram.vertices[diagram.regions[diagram.point_region[i]]] for i in range(len(unit))]
    return [low + cell.clip(0, 1) * (high - low) for cell in cells]
