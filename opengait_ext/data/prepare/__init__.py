"""Gait3D's raw silhouettes and poses to OpenGait's layout, joints carried along.

``<output>/<id>/<cam_video>/<seq>/0_sil.pkl`` is uint8 (T, S, S), byte for byte what OpenGait's
``datasets/pretreatment.py`` makes; ``1_keypoints.pkl`` is float32 (T, 17, 3): x, y in pixels of the prepared image
(integer coordinates are pixel centres) and the score, COCO-17 joints, always finite.

Rules, each counted in ``<output>/prepare_report.json``:

* Image and pose share the file stem. A pose file is two numbers and 17 x (x, y, score), comma-separated, x and y in
  pixels of the raw silhouette image.
* Silhouette unreadable or truncated, pixel sum of at most 10000, or no x-centre: the frame is dropped from both files.
* Pose file missing, unparsable, of a wrong number of values, not finite, or all zero: the frame is kept, every joint
  counts as absent.
* An absent joint (score not above 0, coordinates not finite, or farther outside the prepared image than that is wide or
  high) gets score 0 and a position interpolated linearly in
  time between the nearest frames of the sequence that have it (that of the nearest one at the ends); a joint that no
  frame has is put at the mean of the frame's other joints, or at the image's centre if there are none.
* A sequence with no frame left is not written. Poses without a silhouette are left out.
* If fewer than half of the confident joints (score at least 0.5) lie on the person or within 3 pixels of 64 beside it,
  after the first 20 sequences or at the end, what was written is removed and the run stops.

A run that was stopped goes on where it was when the same command is given again.
"""

from .run import prepare

__all__ = ["prepare"]
