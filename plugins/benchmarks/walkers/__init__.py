"""Parametric walkers: silhouettes, COCO-17 joints and colour crops of people who can be had in any number.

An :class:`Identity` has a body and a way of walking, a :class:`Sequence` all that is not the person: view, clothes,
noise, misalignment. Everything follows from seeds. Arrays only; no host framework is imported.

>>> walker = Identity.sample(seed=7)
>>> silhouettes, keypoints = render(walker, Sequence.sample(seed=1, azimuth=90), frames=30, size=(128, 96))

A stick figure of 3-D joints walks in place; limbs are tapered capsules around its bones, the trunk a stack of elliptic
cross-sections, seen by an orthographic camera; with :class:`MeshIdentity`, the same walk moves bodies of the package
anny instead. It is a model to compare methods under known nuisances, not a
substitute for people: nobody's results on it say how well a method recognises real ones.
"""

from .alignment import Alignment, alignment_errors, displace
from .bodies import BODIES, require_bodies
from .colours import Scene, render_colours
from .identity import Identity
from .mesh_identity import MeshIdentity
from .outfit import Outfit
from .pose_errors import pose_errors
from .render import render
from .sequence import Sequence

__all__ = [
    "BODIES",
    "Alignment",
    "Identity",
    "MeshIdentity",
    "Outfit",
    "Scene",
    "Sequence",
    "alignment_errors",
    "displace",
    "pose_errors",
    "render",
    "render_colours",
    "require_bodies",
]
