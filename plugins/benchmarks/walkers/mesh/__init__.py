"""Walkers in bodies of the package anny: one mesh gives the silhouette, the joints and the coloured crop.

Needs ``pip install 'kpstra[bodies]'``. The first use builds anny's model and puts it into anny's own cache.
"""

from .anny_body import load_body
from .stand import stand_mesh

__all__ = ["load_body", "stand_mesh"]
