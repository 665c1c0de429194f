"""Silhouettes and poses of a data set to OpenGait's layout, joints carried along.

``<output>/<id>/<cam_video>/<seq>/0_sil.pkl`` is uint8 (T, S, S), byte for byte what OpenGait's
``datasets/pretreatment.py`` makes; ``1_keypoints.pkl`` is float32 (T, 17, 3): x, y in pixels of the prepared image
(integer coordinates are pixel centres) and the score, COCO-17 joints, always finite.

Rules, each counted in ``<output>/prepare_report.json``:

* Image and pose share the file stem. A pose file is the width and height of the crop that the pose network saw and
  17 x (x, y, score) in its pixels, comma-separated. Where the silhouette has another size, the joints are scaled to it.
* Frames are in the order of names as text, OpenGait's: frame_10 before frame_9. Where that is not the order of their
  numbers, the sequence is counted, and joints are filled in along the numbers. Hidden files are left out, and suffixes
  may be in capitals.
* Silhouette unreadable or truncated, pixel sum of at most 10000, or no x-centre: the frame is dropped from both files.
* Pose file missing, without a person, unparsable, of a wrong number of values, not finite, all zero, or without a score
  above 0, or (OUMVLP) nobody's joints on the silhouette: the frame is kept, every joint counts as absent.
* An absent joint (score not above 0, coordinates not finite, or farther outside the prepared image than that is wide or
  high) gets score 0 and a position interpolated linearly in time between the nearest frames of the sequence that have
  it (that of the nearest one at the ends); a joint that no frame has is put at the mean of the frame's other joints, or
  at the image's centre if there are none.
* A sequence with no frame left is not written. Poses without a silhouette are left out.

Layouts (`--layout`); 18, 25, 26 and 33 joints become COCO's 17:

* gait3d: the above; also the one for own recordings.
* grew: train/<id>/<seq>, test/gallery/<id>/<seq> and test/probe/<seq>, poses NNNNN_2d_pose.txt. The authors resized the
  silhouettes and not the poses: aligned by the body box.
* oumvlp: Silhouette_<view>-<seq>/<id>/NNNN.png, poses <id>/<view>_<seq>/ with a JSON file a frame. The person counts
  whose joints lie on the silhouette, each by its score; people who cannot be read are left out. Exact.
* casia-b: <id>/<type>/<view>/<id>-<type>-<view>-NNN.png, poses GaitGraph's casia-b_pose_coco.csv. Exact, if both number
  the frames alike.
* sustech1k: the 30 Hz files 03, 04, 07 and, if there, 06 of each sequence. Exact to half a pixel where the joints lie
  in the crop that file 04 describes, else by the body box.
* ccpg: *aligned-sils.pkl, and poses in folders of the same names. ccgr: *sil*.pkl and *pose*.pkl. By the body box.

The body box puts head, ankles and torso where they are in most silhouettes; it is off by about a pixel of 64. The
report and `opengait-ext doctor` say so.

Before anything is written, up to 8 frames of each of 20 sequences are looked at, and at the end all are summed up. It
is a warning if fewer than 90 % of the confident joints (score at least 0.5) lie on the person or within 3 pixels of 64
beside it, if heads are above hips above ankles in fewer than 90 % of the upright frames, if left and right of a pair
of joints contradict the shoulders, if a frame in ten has no pose, or if a frame in ten has no confident joint (then
those with half of its highest score are judged). Below 50 %, or if a usual mistake explains it (swapped axes, a
reversed order, another joint set or pixel frame, shares instead of pixels, no scores, inverted silhouettes), the run
stops and leaves nothing behind.

A run that was stopped goes on where it was when the same command is given again, and makes sequences again whose
pictures or poses have changed since (by size and time of their files).
"""

from .release import prepare

__all__ = ["prepare"]
