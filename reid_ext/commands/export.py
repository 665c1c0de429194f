"""Export a trained model as ONNX: images to features.

Input: ``images`` (batch, 3, height, width), RGB, resized and normalised as torchreid does in a test. Output:
``features`` (batch, D). The batch is free. A model that takes keypoints has a second input, ``keypoints``
(batch, 17, 3), of faces (batch, 5, 3): x, y in pixels of these images, and score.
"""

from __future__ import annotations

import argparse

from plugins.common.arguments import Parser

INTERRUPTED = "nothing was written"


def add_arguments(parser: Parser) -> None:
    """The model and the file."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="NAME", help="in torchreid's factory; people of 256x128, faces of 112x112")
    which.add_argument("--config-file", metavar="YAML", help="take name and image size from a configuration")
    parser.add_argument("--weights", required=True, metavar="FILE", help="a checkpoint, also the authors'")
    parser.add_argument("--output", required=True, metavar="FILE.onnx", help="the file to write")


def run(args: argparse.Namespace) -> None:
    """Write the file and say how equal it is."""
    from ..models.factory import input_of
    from ..settings.load import kprpe_settings, load_config, stra_settings
    from ..training.export import export

    name = args.model
    if name:
        size = dict(zip(("height", "width"), input_of(name).size, strict=True))
    else:
        cfg = load_config(args.config_file)
        name, size = cfg.model.name, {"height": cfg.data.height, "width": cfg.data.width}
        size |= {"kprpe": kprpe_settings(cfg), "stra": stra_settings(cfg)}
    difference = export(name, args.weights, args.output, **size)
    print(f"{args.output}: features equal torch's to {difference:.1g} of the largest")
