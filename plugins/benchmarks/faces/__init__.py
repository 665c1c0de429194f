"""Rendered faces: people who can be had in any number, in any pose and light, with exact five landmarks.

A :class:`Face` is a person: the shape of the head and its features, and colours. A :class:`View` is all that is not the
person: pose, expression, light, background, blur and grain. Everything follows from seeds. Arrays only; no host
framework is imported.

>>> image, landmarks = render(Face.sample(seed=7), View.sample(seed=1), size=64)

The head is a bent ellipsoid, features are bumps and colours painted on it, light is diffuse, the camera orthographic.
It is a model to compare methods under known nuisances, not a substitute for people: nobody's results on it say how
well a method recognises real ones.
"""

from .face import Face
from .place import aligned_place, detected_place, seen
from .render import render
from .view import View

__all__ = ["Face", "View", "aligned_place", "detected_place", "render", "seen"]
