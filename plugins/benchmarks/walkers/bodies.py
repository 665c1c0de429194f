"""The kinds of bodies that walkers have, by name."""

from __future__ import annotations

from ...errors import one_of
from .identity import Identity
from .mesh_identity import MeshIdentity

BODIES = {"simple": Identity, "anny": MeshIdentity}


def require_bodies(name: str) -> type[Identity]:
    """Return the class of identities with such bodies, whose ``sample`` draws them.

    A process that is going to fork others calls it first: they share the model that it loads.

    Raises:
        KpstraError: no such bodies, or a package that they need is missing.
    """
    one_of(name, BODIES, "--bodies")
    if name == "anny":
        from .mesh import load_body

        load_body()
    return BODIES[name]
