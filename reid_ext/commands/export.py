"""``reid-ext export``: a trained model as an ONNX file, images to features.

Input: ``images`` (batch, 3, height, width), RGB, resized and normalised as torchreid does in a test. Output:
``features`` (batch, D). The batch is free.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from plugins.common.cli import command
from plugins.common.onnx import export_onnx

PROGRAM = "reid-ext export"
BATCHES = (2, 1, 3)  # traced on the first, compared on all


def export(model: str, weights: str | Path, output: str | Path, height: int = 256, width: int = 128) -> float:
    """Write the ONNX file and return the largest difference of its features, as a share of the largest.

    Args:
        model: its name in torchreid's factory.
        weights: a checkpoint, also the authors'.
        output: the file.
        height, width: of the images.

    Raises:
        KpstraError: an unknown model, a checkpoint that does not fit, or a network that cannot be exported.
    """
    from ..extractor import FeatureExtractor

    network = FeatureExtractor(model, weights, (height, width), device="cpu").model
    chance = torch.Generator().manual_seed(0)
    first, *others = ({"images": torch.randn(n, 3, height, width, generator=chance)} for n in BATCHES)
    return export_onnx(network, first, others, ("batch",), "features", output)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="NAME", help="in torchreid's factory; images of 256x128")
    which.add_argument("--config-file", metavar="YAML", help="take name and image size from a configuration")
    parser.add_argument("--weights", required=True, metavar="FILE", help="a checkpoint, also the authors'")
    parser.add_argument("--output", required=True, metavar="FILE.onnx")
    return parser


@command(PROGRAM, "nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Run with the arguments ``argv``; return the exit status: 0, 2 for the user's mistake, 130 for Ctrl-C."""
    args = build_parser().parse_args(argv)
    name, size = args.model, {}
    if args.config_file:
        from ..settings.load import load_config

        cfg = load_config(args.config_file)
        name, size = cfg.model.name, {"height": cfg.data.height, "width": cfg.data.width}
    difference = export(name, args.weights, args.output, **size)
    print(f"{args.output}: features equal torch's to {difference:.1g} of the largest")
    return 0


if __name__ == "__main__":
    sys.exit(main())
