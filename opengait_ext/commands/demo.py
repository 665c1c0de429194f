"""Prepare, train, test and draw on the shipped pedestrians.

In the top folder of a kpstra checkout the demo takes the nine real people that are there (tests/data/pets-mini);
elsewhere it renders walkers first. `--raw` names recordings of your own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.errors import KpstraError

from ..data import SHIPPED
from ..host.options import add_host

CONFIG = "opengait/pets_swingait2d_kprpe"
PEOPLE = 4
RENDERED = {
    "identities": 9,
    "train": 4,
    "validation": 0,
    "sequences": 4,
    "probes": 1,
    "frames": 20,
}  # where no pedestrians are


def add_arguments(parser: Parser) -> None:
    """Where from, where to, and settings."""
    parser.add_argument("--output", type=Path, default="demo_output/gait", metavar="FOLDER", help="all goes there")
    parser.add_argument(
        "--raw",
        type=Path,
        metavar="FOLDER",
        help="holds 2D_Silhouettes and 2D_Poses (default: the shipped pedestrians, or else rendered walkers)",
    )
    add_host(parser)
    parser.add_overrides("trainer_cfg.total_iter=100")


def run(args: argparse.Namespace) -> None:
    """Run the demo."""
    demo(args.output, args.raw, args.host, args.device, args.overrides)


def demo(output: Path, raw: Path | None, host: str, device: str, overrides: Sequence[str] = ()) -> None:
    """Prepare, train, test, draw; print the metrics and where everything is."""
    import numpy as np

    from ..data.inspection import sequences
    from ..data.joint_transform import build_joint_transform
    from ..data.prepare import prepare
    from ..data.prepare.report import LEFT_OVER
    from ..host.find import find_host
    from ..pictures.bias import draw
    from ..pictures.sheet import overlay_sheet
    from ..settings.load import recipe
    from ..training.checkpoints import checkpoint_path
    from ..training.launch import Run, launch
    from ..training.record import output_folder
    from ..training.restore import quiet, restore
    from ..training.session import session

    started, data, shipped = time.monotonic(), output / "data", Path(SHIPPED)
    raw = raw or (shipped if shipped.is_dir() else render(output / "raw"))
    report = prepare(raw / "2D_Silhouettes", raw / "2D_Poses", data)
    if LEFT_OVER in report:
        raise KpstraError(f"--output {output}: {data} holds other recordings too; give another --output, or delete it")
    overrides = [*fitting(raw, data), *overrides]
    settings = recipe(CONFIG, overrides)
    options = {"host": host, "device": device, "workdir": str(output), "overrides": overrides}
    engine, folder = settings["trainer_cfg"], output / output_folder(settings, training=True)
    launch(Run(CONFIG, "train", **options))
    measured = launch(Run(CONFIG, "test", engine["total_iter"], **options)) or {}

    checkpoint = checkpoint_path(folder, engine["save_name"], engine["total_iter"])
    with session(host, "cpu") as (active, on), quiet(active):
        model = restore(active, on, CONFIG, checkpoint, overrides)
    name, rpe = [(name, attention.kprpe) for name, attention in model.kprpe.attentions.items()][-1]
    people = [pair for _, *pair in sequences(data)[::8][:PEOPLE]]
    as_tested = build_joint_transform(settings["evaluator_cfg"]["joint_transform"], "joint_transform")
    shown = as_tested(*(np.stack([pair[modality][0] for pair in people]) for modality in (0, 1)))
    sheet = overlay_sheet(data, output / "overlay.png", settings["trainer_cfg"]["joint_transform"])
    made = {"silhouettes with joints, before and after augmentation": sheet}
    if rpe.formulation != "none":
        biases = draw(rpe, *shown, output / "bias.png", model.uses_confidence)
        made[f"bias of {name} under the joints of four people"] = biases
    made |= {"checkpoint": checkpoint, "TensorBoard": folder / "summary"}
    print(
        f"\n== SwinGait-2D with KP-RPE: {engine['total_iter']} iterations, host {find_host(host)}, "
        f"{time.monotonic() - started:.0f} s in all"
    )
    for metric, value in measured.items():
        print(f"  {metric.rpartition('/')[2]:8s} {value:6.2f} %")
    print("A few people and seconds of training: the numbers show that everything runs, not how good the method is.")
    for what, where in made.items():
        print(f"  {what}: {where}")


def render(raw: Path) -> Path:
    """Render walkers in Gait3D's raw layout and return their folder."""
    from ..benchmarks.walkers import Settings, write

    print(f"{SHIPPED}: not here, as outside a kpstra checkout: rendered walkers take their place", flush=True)
    write(raw, Settings(**RENDERED, raw=True))
    return raw


def fitting(raw: Path, data: Path) -> list[str]:
    """Return the settings that fit the configuration to the prepared data."""
    from ..data.layout import find_sequences
    from ..data.partition import read_partition, split, write_partition
    from ..settings.load import recipe
    from ..settings.own_data import PARTITION, settings_for

    if raw == Path(SHIPPED):
        return [f"data_cfg.dataset_root={data}"]
    given = raw / PARTITION
    sets = read_partition(given) if given.is_file() else split(find_sequences(data, ".pkl", "--raw"), "0.5", "1")
    write_partition(data / PARTITION, sets, overwrite=True)
    return settings_for(data, recipe(CONFIG))
