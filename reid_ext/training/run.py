"""One run of torchreid with a merged configuration: check, build, then train or test."""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from torch import nn
from yacs.config import CfgNode

from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError, one_of

from ..data.datasets import check_datasets
from ..host import torchreid
from ..models import factory as models
from ..models.pretrained import load_imagenet
from ..settings.load import datamanager_kwargs, engine_run_kwargs, optimizer_kwargs, scheduler_kwargs
from ..settings.schema import MAX_RANK
from . import checkpoints as checkpoint
from .engines import build_engine


def run(cfg: CfgNode) -> None:
    """Train, or test with ``test.evaluate``, as torchreid's ``scripts/main.py`` does.

    Everything that the user can get wrong is found before the first output file exists.

    Raises:
        KpstraError: a mistake in the configuration, the data or a checkpoint.
    """
    check_datasets(cfg)
    weights = {f"model.{key}": cfg.model[key] for key in ("load_weights", "resume")}
    for key, path in {**weights, "stra.pretrained_path": cfg.stra.pretrained_path}.items():
        try:
            if path:
                checkpoint.load_checkpoint(path)
        except KpstraError as error:
            raise KpstraError(f"{key}: {error}") from error
    torchreid.utils.set_random_seed(cfg.train.seed)
    torch.backends.cudnn.benchmark = cfg.use_gpu
    if not cfg.use_gpu:
        keep_freed_memory()
    preparation = io.StringIO()
    with redirect_stdout(preparation):  # shown, and logged, once there is a log
        engine = prepare(cfg)
    with _logged(Path(cfg.data.save_dir), "test.log" if cfg.test.evaluate else "train.log"):
        print(f"Show configuration\n{cfg}\n")
        print(f"** System info **\n{torchreid.utils.collect_env_info()}\n")
        print(preparation.getvalue())
        engine.run(**engine_run_kwargs(cfg))
        if cfg.test.visrank:
            print(f"Ranked images: {cfg.data.save_dir}/visrank_<data set>")
        if not cfg.test.evaluate:
            print(f"Last checkpoint: {last_checkpoint(cfg.data.save_dir)}")
            print(f"TensorBoard: tensorboard --logdir {cfg.data.save_dir}")


def prepare(cfg: CfgNode):
    """Build data manager, model, optimiser, scheduler and engine; sets ``cfg.train.start_epoch`` when resuming."""
    model_name(cfg)
    if cfg.data.type == "image":
        datamanager = torchreid.data.ImageDataManager(**datamanager_kwargs(cfg))
    else:
        datamanager = torchreid.data.VideoDataManager(**datamanager_kwargs(cfg))
    check_sizes(cfg, datamanager)
    model = build_model(cfg, datamanager.num_train_pids)
    size = (1, 3, cfg.data.height, cfg.data.width)
    params, flops = torchreid.utils.compute_model_complexity(model, size)
    print(f"Model complexity: params={params:,} flops={flops:,}")
    if cfg.model.load_weights:
        checkpoint.load_weights(model, cfg.model.load_weights)
    if cfg.use_gpu:
        model = nn.DataParallel(model).cuda()
    optimizer = torchreid.optim.build_optimizer(model, **optimizer_kwargs(cfg))
    scheduler = torchreid.optim.build_lr_scheduler(optimizer, **scheduler_kwargs(cfg))
    engine = build_engine(cfg, datamanager, model, optimizer, scheduler)
    if cfg.model.resume:  # last, because it restores the random streams
        cfg.train.start_epoch = checkpoint.resume(cfg.model.resume, model, optimizer, scheduler)
        print(f"Resuming {cfg.model.resume} after {cfg.train.start_epoch} epochs")
    if not cfg.test.evaluate and cfg.train.start_epoch >= cfg.train.max_epoch:
        raise KpstraError(
            f"train.max_epoch: {cfg.train.max_epoch}: {cfg.train.start_epoch} epochs are already done (model.resume or "
            "train.start_epoch); raise it to train on, or set test.evaluate True to test"
        )
    return engine


def model_name(cfg: CfgNode) -> str:
    """Register our models with the host and return ``cfg.model.name`` if there is such a model."""
    models.register()
    one_of(cfg.model.name, getattr(torchreid.models, "__model_factory"), "model.name")
    return cfg.model.name


def build_model(cfg: CfgNode, num_classes: int) -> nn.Module:
    """Build ``model.name`` from the host's factory, with ImageNet weights if the configuration asks for them."""
    name = model_name(cfg)
    ours = name in models.MODELS
    pretrained = cfg.model.pretrained and not ours
    try:
        model = torchreid.models.build_model(name, num_classes, cfg.loss.name, pretrained, cfg.use_gpu)
    except OSError as error:
        raise KpstraError(
            f"model.name: {name}: torchreid cannot download its ImageNet weights ({error}); set "
            "model.pretrained False, or model.load_weights PATH with it"
        ) from error
    if ours and (cfg.model.pretrained or cfg.stra.pretrained_path):
        source = cfg.stra.pretrained_path or True
        print(load_imagenet(model, name, source, cfg.stra.pretrained_last_stage).summary())
    if cfg.train.fixbase_epoch > 0:
        for layer in cfg.train.open_layers:
            one_of(layer, [child for child, _ in model.named_children()], f"train.open_layers for {name}")
    return model


def check_sizes(cfg: CfgNode, datamanager) -> None:
    """Check that there is a batch to train on and that the host can compute the ranks asked for.

    Raises:
        KpstraError: fewer training images than a batch, or fewer gallery images left for a query (those of the same
            person and camera do not count) than the largest rank.
    """
    if not cfg.test.evaluate and len(datamanager.train_loader) == 0:
        raise KpstraError(
            f"train.batch_size: {cfg.train.batch_size}: there are fewer training images, so not one batch"
        )
    for name in cfg.data.targets:
        query, gallery = datamanager.fetch_test_loaders(name)
        of = f"of {len(gallery)}"
        if cfg.cuhk03.use_metric_cuhk03:
            lengths, of = {len({image[1] for image in gallery})}, "cuhk03.use_metric_cuhk03 takes one of each person"
        else:
            lengths = set(_curve_lengths(query, gallery))
        if not lengths:
            raise KpstraError(f"data.targets: {name!r}: no query person is in the gallery under another camera")
        if min(lengths) < max(cfg.test.ranks):
            raise KpstraError(
                f"test.ranks: {cfg.test.ranks}: {name} leaves a query only {min(lengths)} gallery images ({of}); "
                "the largest rank must not exceed that"
            )
        if len(lengths) > 1:
            raise KpstraError(
                f"data.targets: {name!r}: torchreid needs {MAX_RANK} gallery images for every query, or equally many; "
                f"here they are {min(lengths)} to {max(lengths)}"
            )


def last_checkpoint(save_dir: str | Path, since: float = 0.0) -> Path | None:
    """Return the checkpoint in ``save_dir`` that was written last, if one was written after time ``since``."""
    found = [(path.stat().st_mtime, path) for path in Path(save_dir).glob("model/model.pth.tar-*")]
    when, path = max(found, default=(0.0, None))
    return path if when >= since else None


def _curve_lengths(query: list, gallery: list) -> Iterator[int]:
    """Yield the length of the host's CMC curve of every query that has a match; images are (path, pid, camid, ...)."""
    people = Counter(image[1] for image in gallery)
    same_view = Counter((image[1], image[2]) for image in gallery)
    for image in query:
        junk = same_view[image[1], image[2]]
        if people[image[1]] > junk:
            yield min(MAX_RANK, len(gallery) - junk)


@contextmanager
def _logged(save_dir: Path, name: str) -> Iterator[None]:
    """Copy standard output into ``save_dir/<name>-<time>`` with the host's Logger for the length of the block."""
    stdout = sys.stdout
    logger = torchreid.utils.Logger(str(save_dir / f"{name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}"))
    sys.stdout = logger
    try:
        yield
    finally:
        sys.stdout = stdout
        logger.console = io.StringIO()  # the host's close() would close the real one, now and in __del__
        logger.close()
