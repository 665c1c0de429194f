"""Parametric walkers in OpenGait's layout: a gait benchmark that anybody can make.

``<output>/<id>/camid<c>_videoid<v>/seq0/`` holds ``0_sil.pkl``, uint8 (T, 64, 64), and ``1_keypoints.pkl``, float32
(T, 17, 3), as ``opengait-ext prepare`` would write them; ``partition.json`` the training and test identities
and the probes, ``partition_validation.json`` the same training identities with others to choose settings on in place of
the test's, and ``walkers.json`` every setting. All follows from the settings: the same command writes the same
bytes, a run that was stopped goes on, and other settings in the same folder are refused.

Frames of 128x96 pixels are rendered and go through the very alignment of ``prepare``. Without an alignment error the
result is that of ``--raw`` followed by ``prepare``. An alignment error comes after it: silhouettes and joints together
are shifted, scaled and turned in the 64x64 frame and *not* centred again, as if the person's box had been wrong. With
``--raw`` it moves the person inside the raw frame; there ``prepare`` takes shift and scale out, and the turn stays.
"""

from .plan import Settings
from .write import write

__all__ = ["Settings", "write"]
