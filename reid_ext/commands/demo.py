"""The re-identification half of ``make demo``: a small StRA network trained and tested on the shipped pedestrians."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from plugins.common.cli import command
from plugins.errors import KpstraError

from ..__main__ import main as run
from ..host import torchreid
from ..models import factory as models
from ..settings.load import load_config
from ..training.checkpoints import load_weights
from ..training.results import read_results
from ..training.run import last_checkpoint
from .pictures import find_images, write_pictures

CONFIG = "configs/reid/pets_mobilenetv2_stra.yaml"


def demo(output: Path, opts: Sequence[str] = ()) -> int:
    """Train and test through torchreid, draw the mode maps, print metrics and paths; return the exit status."""
    arguments = ["data.save_dir", str(output), *opts]
    cfg = load_config(CONFIG, arguments)
    if not Path(cfg.data.root).is_dir():
        raise KpstraError(f"{cfg.data.root}: not here; the demo runs from the top folder of a kpstra checkout")
    status = run(["--config-file", CONFIG, *arguments])
    if status:
        return status
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
    print("   (a smoke run on 9 people: it shows that everything works, it ranks nothing)")
    results = read_results(output)
    print("   " + ", ".join(f"{name} {results[name]:.1%}" for name in ("mAP", "Rank-1", "Rank-5", "Rank-10")))
    for picture in pictures:
        print(f"   picture      {picture}")
    print(f"   checkpoint   {weights}\n   TensorBoard  tensorboard --logdir {output}")
    return 0


@command("reid-ext demo")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for the user's mistake."""
    parser = argparse.ArgumentParser(prog="reid-ext demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo_output/reid"), metavar="FOLDER")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="key value", help="such as train.max_epoch 2")
    args = parser.parse_args(argv)
    return demo(args.output, args.opts)


if __name__ == "__main__":
    sys.exit(main())
