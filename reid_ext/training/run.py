"""One run of torchreid with a merged configuration: check, build, then train or test."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn
from yacs.config import CfgNode

from plugins.common.machine import device_name
from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError

from ..data.batches import check_batch_norm
from ..data.datasets import check_datasets
from ..data.manager import build_datamanager
from ..host import torchreid
from ..host_errors import host_call
from ..models.build import build_model, built_with, replaces_weights
from ..models.feed import complexity, takes_keypoints
from ..settings.load import engine_run_kwargs, optimizer_kwargs, scheduler_kwargs
from .checkpoints import load_checkpoint
from .console import quiet, run_log
from .engines import build_engine
from .folder import (
    CHECKPOINT,
    claimed,
    evaluated_weights,
    found_text,
    last_checkpoint,
    last_whole_checkpoint,
    require_begun_with,
    results_of,
)
from .optimisers import build_optimizer
from .poses import exempt_from_decay, fit_pose
from .protocols import require_classifier
from .resume import resume as restore
from .schedules import build_scheduler
from .weights import load_all_features, load_weights


def run(cfg: CfgNode, resume: bool = False) -> None:
    """Train, or test with ``test.evaluate``, as torchreid's ``scripts/main.py`` does.

    Everything that the user can get wrong is found before the first output file exists.

    Args:
        cfg: the merged settings.
        resume: go on from the latest whole checkpoint in ``data.save_dir``; where all epochs are done, test it, or
            print what was measured.

    Raises:
        KpstraError: a mistake in the configuration, the data or a checkpoint, or an error of the host's.
    """
    if resume and cfg.test.evaluate:
        raise KpstraError(
            "test.evaluate: True: nothing is trained, and --resume goes on with a training; leave one of them out"
        )
    if resume and _go_on(cfg):
        return
    check_datasets(cfg)
    weights = {f"model.{key}": cfg.model[key] for key in ("load_weights", "resume")}
    if not replaces_weights(cfg):
        weights["stra.pretrained_path"] = cfg.stra.pretrained_path
    for key, path in weights.items():
        try:
            if path:
                load_checkpoint(path)
        except KpstraError as error:
            raise KpstraError(f"{key}: {error}") from error
    torchreid.utils.set_random_seed(cfg.train.seed)
    torch.backends.cudnn.benchmark = cfg.use_gpu
    if not cfg.use_gpu:
        keep_freed_memory()
    with run_log() as log:
        engine = prepare(cfg)
        engine.evaluated_weights = evaluated_weights(cfg)
        with nullcontext() if cfg.test.evaluate else claimed(cfg):
            name = "test.log" if cfg.test.evaluate else "train.log"
            log.open(Path(cfg.data.save_dir) / f"{name}-{time.strftime('%Y-%m-%d-%H-%M-%S')}")
            with quiet():
                print(f"Show configuration\n{cfg}\n")
                print(f"** System info **\n{torchreid.utils.collect_env_info()}\n")
            engine.run(**engine_run_kwargs(cfg), save_freq=cfg.train.save_freq)
            if cfg.test.visrank:
                print(f"Ranked images: {cfg.data.save_dir}/visrank_<data set>")
            if not cfg.test.evaluate:
                print(f"Last checkpoint: {last_checkpoint(cfg.data.save_dir)}")
                print(f"TensorBoard: tensorboard --logdir {cfg.data.save_dir}")


def _go_on(cfg: CfgNode) -> bool:
    """Set what a run with ``--resume`` goes on with; return whether there is nothing left to do."""
    path = last_whole_checkpoint(cfg.data.save_dir)
    if path is None:
        print(f"{cfg.data.save_dir}: no checkpoint to go on from; training starts anew")
        return False
    require_begun_with(cfg)
    print(f"{cfg.data.save_dir}: {found_text(cfg)}")
    epoch = int(path.name.removeprefix(CHECKPOINT))
    if epoch < cfg.train.max_epoch:
        cfg.model.resume = str(path)
        return False
    if results := results_of(cfg, epoch):
        print(results.table())
        return True
    cfg.test.evaluate, cfg.model.load_weights = True, str(path)
    return False


def prepare(cfg: CfgNode):
    """Build data manager, model, optimiser, scheduler and engine; sets ``cfg.train.start_epoch`` when resuming."""
    datamanager = build_datamanager(cfg)
    model = build_model(cfg, datamanager.num_train_pids)
    if takes_keypoints(model):
        check_keypoints(cfg)
    if not cfg.test.evaluate:
        check_batch_norm(model, cfg.train.batch_size, torch.cuda.device_count() if cfg.use_gpu else 1)
    with host_call(f"data.height {cfg.data.height}, data.width {cfg.data.width}", "this model may need other sizes"):
        size = (1, 3, cfg.data.height, cfg.data.width)
        params, flops = complexity(model, size)
    print(f"{cfg.model.name}: {params:,} parameters, {flops:,} FLOPs an image of {cfg.data.height}x{cfg.data.width}")
    check_evaluated_weights(cfg)
    if cfg.model.load_weights:
        whole = cfg.test.evaluate and not cfg.model.partial_weights
        try:
            path = cfg.model.load_weights
            report = load_all_features(model, path, built_with(cfg)) if whole else load_weights(model, path)
        except KpstraError as error:
            told = " (model.partial_weights True tests it all the same)" if whole else ""
            raise KpstraError(f"model.load_weights: {error}{told}") from error
        if cfg.test.evaluate:
            require_classifier(cfg, datamanager, report.kept)
    if not cfg.test.evaluate:
        fit_pose(model, datamanager)
    if cfg.use_gpu:
        model = nn.DataParallel(model).cuda()
    with host_call("train.optim, train.lr_scheduler", "check the settings of train"):
        optimizer = build_optimizer(model, **optimizer_kwargs(cfg))
        exempt_from_decay(optimizer, model)
        scheduler = build_scheduler(optimizer, cfg.train.warmup_epoch, **scheduler_kwargs(cfg))
    with host_call(f"loss.name {cfg.loss.name}", "check the settings of loss"):
        engine = build_engine(cfg, datamanager, model, optimizer, scheduler)
    if cfg.model.resume:  # last, because it restores the random streams
        cfg.train.start_epoch = restore(cfg.model.resume, model, optimizer, scheduler, built_with(cfg))
        print(f"Resuming {cfg.model.resume} after {cfg.train.start_epoch} epochs")
    if cfg.test.evaluate:
        return engine
    if cfg.train.start_epoch >= cfg.train.max_epoch:
        raise KpstraError(
            f"train.max_epoch: {cfg.train.max_epoch}: {cfg.train.start_epoch} epochs are already done (model.resume or "
            "train.start_epoch); raise it to train on, or set test.evaluate True to test"
        )
    images, people = len(datamanager.train_loader.dataset), datamanager.num_train_pids
    print(
        f"Training on {', '.join(cfg.data.sources)}: {images:,} images of {people:,} people; "
        f"{cfg.train.max_epoch - cfg.train.start_epoch} epochs of {len(datamanager.train_loader):,} batches of "
        f"{cfg.train.batch_size}, on {device_name(cfg.use_gpu)}"
    )
    return engine


def check_evaluated_weights(cfg: CfgNode) -> None:
    """Check that a test is of weights that were trained.

    Raises:
        KpstraError: neither a file nor ImageNet's, and ``model.partial_weights`` does not say so.
    """
    if cfg.test.evaluate and not (cfg.model.load_weights or cfg.model.resume or cfg.model.partial_weights):
        if not cfg.model.pretrained:
            raise KpstraError(
                "test.evaluate: True: there are no weights to test; set model.load_weights PATH (or "
                "model.partial_weights True to test what chance has given)"
            )
        print("Note: no model.load_weights: the test is of ImageNet's weights, and of random ones where they have none")


def check_keypoints(cfg: CfgNode) -> None:
    """Check that a model that takes keypoints gets some.

    Raises:
        KpstraError: names the settings.
    """
    for key in ("targets",) if cfg.test.evaluate else ("sources", "targets"):
        if not (cfg.data.keypoints or cfg.data[f"keypoints_{key}"]):
            raise KpstraError(
                f"model.name: {cfg.model.name} takes keypoints: set data.keypoints FILE (or data.keypoints_{key}), of "
                "`reid-ext keypoints` or of a pose network"
            )
