"""How recognition suffers when people are misaligned: a metric against the severity of each kind of error.

The KP-RPE paper's Fig. 5 for gait. Checkpoints are tested by the host itself on test sequences that are misaligned
after preparation, as if the person's box had been wrong: silhouettes and joints together are changed in the prepared
frame and not centred again. All test sequences are, probes and gallery, as all test images are in the paper's figure;
with ``--probes-only`` the gallery stays as it is, as if enrolment had been careful.

Each sequence draws its errors from the seed and its own name, so that they are the same for every checkpoint, and one
draw serves all severities of a kind. An error has one part for the whole sequence and one that changes from frame to
frame; severity is the standard deviation, cut at two of them. Severity 1 stands for

    translation     8 % of the frame's height, in x and in y
    scale           15 % of the size
    rotation        12 degrees
    crop            15 % of the person's height (top, bottom) or width (left, right) cut off
    together        the four above at once
    occlusion       a quarter of the person's box covered by a rectangle, with the joints behind it missing
    joint-noise     5 % of the frame's height, each joint and frame on its own; the silhouettes stay
    joint-dropout   every joint missing in half of the frames, in one stretch; the silhouettes stay

Crop is what a box does that is too small at one side, drawn for each sequence: the pixels beyond it are lost, and
what is left is refitted as preparation does it, to the old height and about its own centre of mass. The joints go
along and keep their scores, those beyond the box too, as poses that were found on the whole picture: cut off at the
top or bottom they lie outside the frame, at a side beside what is left of the body. An occluder covers its share in
every frame, at one place in the person's box for each sequence with a small change from frame to frame; the box
stays. Missing joints get score 0 and a place interpolated over time, as in ``prepare``.
"""

from plugins.benchmarks.robustness.cli import Words

WORDS = Words(
    "probes",
    "sequences",
    "the frame's height",
    "the frames in which a joint is missing",
    {"joint-dropout": "% of each joint's frames"},
)
