"""Print a configuration as a run takes it, for a file of one's own.

Your settings are merged over the configuration, and that over the host's defaults; all is checked. With `--for` it is
fitted to a prepared data set: root, partition, number of identities, probes, batch, and the weights it starts from.

    opengait-ext config swingait2d_kprpe_gait3d --for my-data trainer_cfg.total_iter=20000 > my.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plugins.common.arguments import Parser

from ..host.options import add_host


def add_arguments(parser: Parser) -> None:
    """The configuration, the data, and settings."""
    parser.add_argument("name", metavar="NAME", help="a path, or a shipped configuration's name")
    parser.add_argument("--for", dest="data", type=Path, metavar="FOLDER", help="fit it to this prepared data set")
    add_host(parser, device=False)
    parser.add_overrides("model_cfg.kprpe.formulation=relative")


def run(args: argparse.Namespace) -> None:
    """Merge, check and print."""
    import yaml

    from ..settings.load import load_settings, recipe
    from ..settings.own_data import settings_for
    from ..training.session import session

    given = recipe(args.name)
    fitted = settings_for(args.data, given) if args.data else []
    with session(args.host, "cpu") as (host, _):
        settings = load_settings(host, args.name, [*fitted, *args.overrides])
    follow_training(given, settings)
    if "trainer_cfg.restore_hint=0" in fitted:
        start = given["trainer_cfg"]["restore_hint"]
        print(f"trainer_cfg.restore_hint: 0, random weights: there is no {start} of this data", file=sys.stderr)
    print(yaml.safe_dump(settings, sort_keys=False, width=120, default_flow_style=None), end="")


def follow_training(given: Mapping[str, Any], settings: dict[str, Any]) -> None:
    """Let the settings test the last checkpoint where the configuration does so and ``total_iter`` has been changed."""
    tested = settings["evaluator_cfg"]["restore_hint"]
    if given.get("trainer_cfg", {}).get("total_iter") == tested == given.get("evaluator_cfg", {}).get("restore_hint"):
        settings["evaluator_cfg"]["restore_hint"] = settings["trainer_cfg"]["total_iter"]
