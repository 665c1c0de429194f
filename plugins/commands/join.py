"""Put pictures side by side, such as those of the demos: `make idea` draws the README's picture so.

All are scaled to the height of the highest; colours stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.arguments import Parser
from ..errors import KpstraError

INCHES = 6.0  # height of the pictures


def add_arguments(parser: Parser) -> None:
    """The pictures, their titles, the file."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PNG", help="from left to right")
    parser.add_argument("--titles", nargs="+", default=[], metavar="TEXT", help="one above each")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="the picture")


def run(args: argparse.Namespace) -> None:
    """Read, lay out and write."""
    from matplotlib.figure import Figure
    from matplotlib.image import imread

    from ..common.files import atomic_write

    if args.titles and len(args.titles) != len(args.pictures):
        raise KpstraError(f"--titles: {len(args.titles)} for {len(args.pictures)} pictures; give one for each")
    images = []
    for path in args.pictures:
        try:
            images.append(imread(path))
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged files
            raise KpstraError(f"{path}: cannot be read as a picture: {' '.join(str(error).split())}") from error
    widths = [image.shape[1] / image.shape[0] for image in images]
    dpi = max(image.shape[0] for image in images) / INCHES
    figure = Figure(figsize=(INCHES * sum(widths) * 1.02, INCHES * 1.06), dpi=dpi, layout="constrained")
    panels = figure.subplots(1, len(images), width_ratios=widths, squeeze=False)[0]
    for panel, image, title in zip(panels, images, args.titles or [""] * len(images), strict=True):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1 if image.dtype.kind == "f" else 255)
        panel.set_axis_off()
        panel.set_title(title, fontsize=9)
    with atomic_write(args.output) as file:
        figure.savefig(file, format="png")
    print(args.output)
