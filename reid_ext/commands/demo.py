"""Train, test and draw on the shipped pedestrians: StRA, and a small ViT with KP-RPE.

In the top folder of a kpstra checkout the demo takes the nine real people that are there (tests/data/pets-mini) with
their joints; elsewhere it renders coloured walkers first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugins.common.arguments import Parser

from ..settings.options import UNDOTTED, opts

STRA, KPRPE = "configs/reid/pets_mobilenetv2_stra.yaml", "configs/reid/pets_vit_tiny_kprpe.yaml"
RENDERED = {"identities": 12, "train": 4, "cameras": 3, "crops": 4}  # where no pedestrians are
MARKET = Path("market1501", "Market-1501-v15.09.15")
SHOWN = 4  # crops whose biases are drawn


def add_arguments(parser: Parser) -> None:
    """Where to, and settings."""
    parser.add_argument("--output", type=Path, default="demo_output/reid", metavar="FOLDER", help="all goes there")
    parser.add_overrides("train.max_epoch=2", UNDOTTED)


def run(args: argparse.Namespace) -> None:
    """Train and test through torchreid, draw mode maps and biases, print metrics and paths."""
    stra = trained(STRA, args.output, args.output / "walkers", args.overrides)
    kprpe = trained(KPRPE, args.output / "kprpe", args.output / "walkers", args.overrides)
    told("StRA in torchreid", stra, mode_pictures(stra))
    told("KP-RPE in torchreid", kprpe, bias_pictures(kprpe))
    print(
        "   (a few people and seconds of training: the numbers show that everything runs, not how good the methods are)"
    )


def trained(config: str, output: Path, rendered: Path, overrides: Sequence[str]) -> Any:
    """Train and test as a configuration says, or go on with that; return the settings."""
    from ..settings.load import load_config
    from ..training.folder import last_checkpoint
    from ..training.run import run as run_engine

    cfg = load_config(config, opts([f"data.save_dir={output}", *overrides]))
    if not Path(cfg.data.root).is_dir():
        joints = render(rendered, cfg.data.root)
        cfg.data.root, cfg.data.keypoints = str(rendered), str(joints) if cfg.data.keypoints else ""
    run_engine(cfg, resume=last_checkpoint(output) is not None)
    return cfg


def model_of(cfg: Any) -> Any:
    """Return the network of a finished training."""
    from ..models.build import build_model
    from ..training.folder import last_checkpoint
    from ..training.weights import load_weights

    model = build_model(cfg, 1).eval()
    load_weights(model, last_checkpoint(cfg.data.save_dir))
    return model


def mode_pictures(cfg: Any) -> dict[str, Path]:
    """Draw what StRA's modes attend to."""
    from ..pictures.mode_pictures import Normalisation, find_images, write_pictures

    crops = find_images([Path(cfg.data.root) / MARKET / "bounding_box_test"])
    output = Path(cfg.data.save_dir)
    normalisation = Normalisation(cfg.data.norm_mean, cfg.data.norm_std)
    size = (cfg.data.height, cfg.data.width)
    pictures = write_pictures(model_of(cfg), crops, output, *size, normalisation=normalisation)
    return {f"picture of {path.stem}": path for path in pictures}


def bias_pictures(cfg: Any) -> dict[str, Path]:
    """Draw gallery crops with their joints, and the biases that these make where the network has any."""
    from ..data.crop_files import draw_crops
    from ..data.keypoints import CropKeypoints, find_keypoints
    from ..pictures.bias import draw_biases, has_biases

    images = sorted(map(str, (Path(cfg.data.root) / MARKET / "bounding_box_test").glob("*.jpg")))
    keypoints = CropKeypoints(find_keypoints(cfg.data.keypoints, images, "data.keypoints"))
    there = [image for image in images if image in keypoints]
    output, size = Path(cfg.data.save_dir), (cfg.data.height, cfg.data.width)
    draw_crops(keypoints, there, output / "joints.png")
    pictures = {"crops with joints": output / "joints.png"}
    if not has_biases(model := model_of(cfg)):
        return pictures
    shown = [Path(image) for image in there[:: -(-len(there) // SHOWN)]]
    return {**pictures, "biases under joints": draw_biases(model, shown, keypoints, size, output / "bias.png")}


def told(title: str, cfg: Any, pictures: dict[str, Path]) -> None:
    """Print what was measured and where it is."""
    from ..pictures.mode_pictures import find_images
    from ..training.folder import checkpoints, last_checkpoint, results_of

    number = len(find_images([Path(cfg.data.root) / MARKET / "bounding_box_train"]))
    epochs, output = cfg.train.max_epoch, cfg.data.save_dir
    print(f"\n== {title}: {cfg.model.name}, trained from scratch on {number} crops for {epochs} epochs")
    results = results_of(cfg, max(checkpoints(output)))
    measured = next(iter(results.metrics.values()))
    print("   " + ", ".join(f"{name} {value:.1%}" for name, value in measured.items()))
    where = {**pictures, "checkpoint": last_checkpoint(output), "TensorBoard": f"tensorboard --logdir {output}"}
    for what, path in where.items():
        print(f"   {what:<24}{path}")


def render(output: Path, missing: str) -> Path:
    """Render coloured walkers in Market-1501's layout and return the file of their joints."""
    from ..benchmarks.walkers import JOINTS, Settings, write

    print(f"{missing}: not here, as outside a kpstra checkout: rendered walkers take its place", flush=True)
    write(output, Settings(**RENDERED))
    return output / JOINTS
