"""Which searches the fused driver can run; light, so that a search on the host does without JAX."""

from qd.archives import CVT, Fronts, Grid
from qd.types import Search


def applies(search: Search) -> str | None:
    """Returns None where the fused driver can run a search, else the reason why not."""
    for part in search.domain, search.descriptor, search.emitter:
        if not part.pure:
            return f"{type(part).__name__} runs on the host (pure = False)"
    archive = search.archive
    if type(archive) not in (Grid, CVT, Fronts):
        return f"its archive is neither a grid nor a CVT but {type(archive).__name__}"
    if isinstance(archive, Fronts) and archive.improvement:
        return "improvements of hypervolumes are computed on the host"
    if archive.dtype != "float32":  # type: ignore[attr-defined]
        return f"its archive stores {archive.dtype}, not float32"  # type: ignore[attr-defined]
    from qd.fused.prepare import too_large  # with JAX, as all that follows

    return too_large(search)
