"""Train, test and draw on the shipped pedestrians.

In the top folder of a kpstra checkout the demo takes the nine real people that are there (tests/data/pets-mini);
elsewhere it renders coloured walkers first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser

from ..settings.options import UNDOTTED, opts

CONFIG = "configs/reid/pets_mobilenetv2_stra.yaml"
RENDERED = {"identities": 12, "train": 4, "cameras": 3, "crops": 4}  # where no pedestrians are


def add_arguments(parser: Parser) -> None:
    """Where to, and settings."""
    parser.add_argument("--output", type=Path, default="demo_output/reid", metavar="FOLDER", help="all goes there")
    parser.add_overrides("train.max_epoch=2", UNDOTTED)


def run(args: argparse.Namespace) -> None:
    """Train and test through torchreid, draw the mode maps, print metrics and paths."""
    from ..host import torchreid
    from ..models import factory as models
    from ..pictures.mode_pictures import find_images, write_pictures
    from ..settings.load import load_config
    from ..training.folder import last_checkpoint
    from ..training.results import read_results
    from ..training.run import run as run_engine
    from ..training.weights import load_weights

    output = args.output
    cfg = load_config(CONFIG, opts([f"data.save_dir={output}", *args.overrides]))
    if not Path(cfg.data.root).is_dir():
        cfg.data.root = str(render(output / "walkers", cfg.data.root))
    run_engine(cfg, resume=last_checkpoint(output) is not None)
    models.register()
    weights = last_checkpoint(output)
    model = torchreid.models.build_model(cfg.model.name, 1, pretrained=False, use_gpu=False)
    load_weights(model, weights)
    market = Path(cfg.data.root) / "market1501" / "Market-1501-v15.09.15"
    crops = find_images([market / "bounding_box_test"])
    pictures = write_pictures(model, crops, output, cfg.data.height, cfg.data.width)
    trained = len(find_images([market / "bounding_box_train"]))
    epochs = cfg.train.max_epoch
    print(f"\n== StRA in torchreid: {cfg.model.name}, trained from scratch on {trained} crops for {epochs} epochs")
    print(
        "   (a few people and seconds of training: the numbers show that everything runs, not how good the method is)"
    )
    measured = next(iter(list(read_results(output).values())[-1].metrics.values()))
    print("   " + ", ".join(f"{name} {measured[name]:.1%}" for name in ("mAP", "Rank-1", "Rank-5", "Rank-10")))
    for picture in pictures:
        print(f"   picture      {picture}")
    print(f"   checkpoint   {weights}\n   TensorBoard  tensorboard --logdir {output}")


def render(output: Path, missing: str) -> Path:
    """Render coloured walkers in Market-1501's layout and return their folder."""
    from ..benchmarks.walkers import Settings, write

    print(f"{missing}: not here, as outside a kpstra checkout: rendered walkers take its place", flush=True)
    write(output, Settings(**RENDERED))
    return output
