"""How re-identification suffers when people are misaligned in their crops: a metric against the severity of each error.

The KP-RPE paper's Fig. 5 for whole bodies. Checkpoints are tested by torchreid itself on query and gallery crops that
are changed before they are resized, as if the person's box had been wrong; the joints go along. With
``--queries-only`` the gallery stays as it is.

Each image draws its errors from the seed and its own name, so that they are the same for every checkpoint, and one draw
serves all severities of a kind. Severity is the standard deviation, cut at two of them. Severity 1 stands for

    translation     8 % of the crop's height, in x and in y
    scale           15 % of the size
    rotation        12 degrees
    crop            15 % of the height (top, bottom) or width (left, right) cut off; what is left is the new crop
    together        the four above at once
    occlusion       a quarter of the crop covered by a rectangle of one colour, with the joints behind it missing
    joint-noise     5 % of the crop's height, each joint on its own; the images stay
    joint-dropout   half of the joints missing; the images stay

What an error brings in from beyond the crop nobody knows: it is grey, ImageNet's mean. A joint that an error moves out
of the crop is missing, as a pose network would not see it there: 0, 0 and score 0.
"""

from plugins.benchmarks.robustness.cli import Words

UNITS = {"crop": "% of the crop", "occlusion": "% of the crop"}
WORDS = Words("queries", "crops", "the crop's height", "the joints that are missing", UNITS)
