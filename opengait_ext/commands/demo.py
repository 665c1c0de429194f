"""``opengait-ext demo``: raw silhouettes and poses in, a trained SwinGait-2D + KP-RPE and metrics out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from plugins.common.cli import command
from plugins.common.files import resolve_config

RAW = "tests/data/pets-mini/gait_raw"
CONFIG = "opengait/pets_swingait2d_kprpe"
PEOPLE = 4


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="opengait-ext demo", description=__doc__)
    parser.add_argument("--output", default="demo_output/gait", metavar="FOLDER")
    parser.add_argument("--raw", default=RAW, metavar="FOLDER", help="holds 2D_Silhouettes and 2D_Poses")
    parser.add_argument("--host", default="auto", metavar="auto|opengait|embedded|PATH")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as trainer_cfg.total_iter=100")
    return parser


@command("opengait-ext demo")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit status."""
    args = build_parser().parse_intermixed_args(argv)
    demo(Path(args.output), Path(args.raw), args.host, args.device, args.overrides)
    return 0


def demo(output: Path, raw: Path, host: str, device: str, overrides: Sequence[str] = ()) -> None:
    """Prepare, train, test, draw; print the metrics and where everything is."""
    from ..data.inspection import sequences
    from ..data.joint_transform import build_joint_transform
    from ..data.prepare import prepare
    from ..host.find import find_host
    from ..pictures.bias import draw, tables
    from ..pictures.sheet import overlay_sheet
    from ..settings.load import read_yaml, set_value
    from ..training.hosted import read_checkpoint
    from ..training.launch import Run, launch

    started, data = time.monotonic(), output / "data"
    prepare(raw / "2D_Silhouettes", raw / "2D_Poses", data)
    settings = read_yaml(resolve_config(CONFIG))
    overrides = [f"data_cfg.dataset_root={data}", *overrides]
    for override in overrides:
        set_value(settings, override)
    options = {"host": host, "device": device, "workdir": str(output), "overrides": overrides}
    launch(Run(CONFIG, "train", **options))
    measured = launch(Run(CONFIG, "test", **options)) or {}

    engine, model = settings["trainer_cfg"], settings["model_cfg"]["model"]
    folder = output / "output" / settings["data_cfg"]["dataset_name"] / model / engine["save_name"]
    checkpoint = folder / "checkpoints" / f"{engine['save_name']}-{engine['total_iter']:0>5}.pt"
    weights = read_checkpoint(str(checkpoint), torch.device("cpu"))["model"]
    name, rpe = list(tables(weights, settings["model_cfg"]).items())[-1]
    people = [pair for _, *pair in sequences(data)[::8][:PEOPLE]]
    as_tested = build_joint_transform(settings["evaluator_cfg"]["joint_transform"], "joint_transform")
    shown = as_tested(*(np.stack([pair[modality][0] for pair in people]) for modality in (0, 1)))
    biases = draw(rpe, *shown, output / "bias.png")
    sheet = overlay_sheet(data, output / "overlay.png", settings["trainer_cfg"]["joint_transform"])
    print(
        f"\n== SwinGait-2D with KP-RPE: {engine['total_iter']} iterations, host {find_host(host)}, "
        f"{time.monotonic() - started:.0f} s in all"
    )
    for metric, value in measured.items():
        print(f"  {metric.rpartition('/')[2]:8s} {value:6.2f} %")
    print("A few people and seconds of training: the numbers show that everything runs, not how good the method is.")
    for what, where in (
        ("silhouettes with joints, before and after augmentation", sheet),
        (f"bias of {name} under the joints of four people", biases),
        ("checkpoint", checkpoint),
        ("TensorBoard", folder / "summary"),
    ):
        print(f"  {what}: {where}")


if __name__ == "__main__":
    sys.exit(main())
