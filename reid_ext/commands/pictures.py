"""Draw what the modes of a StRA network attend to (paper, Figs. 3 and 4), or where a transformer finds its modes.

A network whose keypoints are modes (`vit_small_patch16_modes`) gets one picture, `centres.png`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plugins.common.arguments import Parser
from plugins.errors import KpstraError, one_of


def add_arguments(parser: Parser) -> None:
    """The network, the crops, what is shown."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="NAME", help="a StRA model of torchreid's factory")
    which.add_argument("--config-file", metavar="YAML", help="take model, its settings and the images' size from here")
    parser.add_argument("--weights", required=True, metavar="FILE", help="a checkpoint, also the authors'")
    parser.add_argument("--images", required=True, nargs="+", metavar="PATH", help="crops, or folders of them")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--block", metavar="NAME", help="such as layer4.0 (default: the first StRA block)")
    parser.add_argument("--modes", type=int, default=4, metavar="N", help="modes shown for each crop")
    parser.add_argument("--rows", type=int, default=6, metavar="N", help="crops shown")
    parser.add_argument(
        "--height", type=int, metavar="N", help="of the network's input (default: the network's, or the YAML's)"
    )
    parser.add_argument(
        "--width", type=int, metavar="N", help="of the network's input (default: the network's, or the YAML's)"
    )


def run(args: argparse.Namespace) -> None:
    """Draw the pictures."""
    from ..host import torchreid
    from ..models import factory as models
    from ..models.modal import ModesTransformer
    from ..models.options import building, network_settings
    from ..pictures.centres import write_centres
    from ..pictures.mode_maps import find_block
    from ..pictures.mode_pictures import Normalisation, find_images, write_pictures
    from ..settings.load import get_default_config, kprpe_settings, load_config, stra_settings
    from ..training.weights import load_all_features

    cfg = load_config(args.config_file) if args.config_file else get_default_config()
    name = cfg.model.name if args.config_file else args.model
    faces = {**models.FACE_RESNETS, **models.EXPRESSION_RESNETS}
    one_of(name, {**models.MODELS, **models.MODAL, **faces}, "model.name" if args.config_file else "--model")
    if args.model:
        images = models.input_of(name)
        cfg.data.height, cfg.data.width = images.size
        cfg.data.norm_mean, cfg.data.norm_std = list(images.mean), list(images.std)
    size = [cfg.data[key] if getattr(args, key) is None else getattr(args, key) for key in ("height", "width")]
    for option, value in (("modes", args.modes), ("rows", args.rows), *zip(("height", "width"), size, strict=True)):
        if value < 1:
            raise KpstraError(f"--{option}: {value}: expected 1 or more")
    models.register()
    kprpe, stra = kprpe_settings(cfg), stra_settings(cfg)
    with building(size, kprpe, stra):
        model = torchreid.models.build_model(name, 1, pretrained=False, use_gpu=False)
    finds_centres = isinstance(model, ModesTransformer)
    if finds_centres and args.block:
        raise KpstraError(f"--block: {args.block}: {name} has one set of modes; leave it out")
    if not finds_centres:
        find_block(model, args.block)
    paths = find_images(args.images)
    load_all_features(model, args.weights, network_settings(name, kprpe, stra))
    normalisation = Normalisation(cfg.data.norm_mean, cfg.data.norm_std)
    if finds_centres:
        pictures = write_centres(model, paths, args.output, size, normalisation, args.modes, args.rows)
    else:
        pictures = write_pictures(model, paths, args.output, *size, args.block, args.modes, args.rows, normalisation)
    print("\n".join(f"Picture: {path}" for path in pictures))
