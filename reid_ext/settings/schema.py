"""torchreid's settings and their defaults, what they may be, and which of the host's arguments they become."""

from __future__ import annotations

from typing import Any

from plugins.common.processes import MOST_WORKERS
from plugins.kprpe.config import MODES
from plugins.kprpe.position.buckets import DISTANCES
from plugins.kprpe.position.rotary import ROTARY
from plugins.kprpe.position.table import FORMULATIONS, KEYPOINTS
from plugins.kprpe.position.window_queries import GRIDS
from plugins.stra.mode import GATES

from ..data.affine import NAME as AFFINE
from ..training.margins import MARGINS
from ..training.optimisers import OPTIMISERS

# Keys and defaults of torchreid's scripts/default_config.py; `use_gpu`, `stra` and what is marked are added.
SCHEMA: dict[str, Any] = {
    "use_gpu": False,  # get_default_config sets it to whether CUDA is there
    "model": {
        "name": "resnet50",
        "pretrained": True,
        "load_weights": "",
        "partial_weights": False,  # ours: test.evaluate also where weights are missing
        "resume": "",
    },
    "stra": {
        "weight_d": 1.0,  # of the diversity loss
        "groups": 8,  # as the next three: of the models with modes, where their names fix no other
        "kernel_size": 3,
        "ratio": 4,
        "gate": "sigmoid",
        "pretrained_path": "",  # local ImageNet weights instead of the published file
        "pretrained_last_stage": True,  # also where the last stage fits (the authors' code; the paper: random)
    },
    "kprpe": {  # ours: of the transformers that take keypoints
        "formulation": "multihead",
        "distance": "product",
        "ratio": 1.9,
        "standardised": False,
        "keypoints": "given",
        "rotary": "none",
        "grid": "",  # the formulation's default
        "mode": "add",
        "scale_bias": False,
        "confidence": True,
    },
    "data": {
        "type": "image",
        "root": "reid-data",
        "sources": ["market1501"],
        "targets": ["market1501"],
        "workers": 4,
        "split_id": 0,
        "height": 256,
        "width": 128,
        "combineall": False,
        "transforms": ["random_flip"],
        "affine": {"scale": [0.8, 1.2], "degrees": 20.0, "turn_prob": 0.2, "shift": 0.1},  # ours: of random_affine
        "k_tfm": 1,
        "norm_mean": [0.485, 0.456, 0.406],
        "norm_std": [0.229, 0.224, 0.225],
        "save_dir": "log",
        "load_train_targets": False,
        "keypoints": "",  # ours, as the next two: a file or folder, for sources and targets that have none of their own
        "keypoints_sources": "",
        "keypoints_targets": "",
    },
    "market1501": {"use_500k_distractors": False},
    "cuhk03": {"labeled_images": False, "classic_split": False, "use_metric_cuhk03": False},
    "sampler": {
        "train_sampler": "RandomSampler",
        "train_sampler_t": "RandomSampler",
        "num_instances": 4,
        "num_cams": 1,
        "num_datasets": 1,
    },
    "video": {"seq_len": 15, "sample_method": "evenly", "pooling_method": "avg"},
    "train": {
        "optim": "adam",
        "lr": 0.0003,
        "weight_decay": 5e-4,
        "max_epoch": 60,
        "start_epoch": 0,
        "batch_size": 32,
        "fixbase_epoch": 0,
        "open_layers": ["classifier"],
        "staged_lr": False,
        "new_layers": ["classifier"],
        "base_lr_mult": 0.1,
        "lr_scheduler": "single_step",
        "stepsize": [20],
        "gamma": 0.1,
        "warmup_epoch": 0,  # ours
        "print_freq": 20,
        "save_freq": 1,  # ours: epochs between two checkpoints
        "seed": 1,
    },
    "sgd": {"momentum": 0.9, "dampening": 0.0, "nesterov": False},
    "rmsprop": {"alpha": 0.99},
    "adam": {"beta1": 0.9, "beta2": 0.999},
    "loss": {
        "name": "softmax",
        "softmax": {"label_smooth": True},
        "triplet": {"margin": 0.3, "weight_t": 1.0, "weight_x": 0.0},
        "adaface": {"margin": 0.4, "scale": 64.0, "h": 0.333, "t_alpha": 0.01},  # ours, as the next two
        "arcface": {"margin": 0.5, "scale": 64.0},
        "cosface": {"margin": 0.4, "scale": 64.0},
    },
    "test": {
        "batch_size": 100,
        "dist_metric": "euclidean",
        "normalize_feature": False,
        "ranks": [1, 5, 10, 20],
        "evaluate": False,
        "eval_freq": -1,
        "start_eval": 0,
        "rerank": False,
        "visrank": False,
        "visrank_topk": 10,
    },
}

SAMPLERS = (
    "RandomIdentitySampler",
    "SequentialSampler",
    "RandomSampler",
    "RandomDomainSampler",
    "RandomDatasetSampler",
)
CHOICES = {
    "data.type": ("image", "video"),
    "data.transforms": ("random_flip", "random_crop", "random_patch", "color_jitter", "random_erase", AFFINE),
    "sampler.train_sampler": SAMPLERS,
    "sampler.train_sampler_t": SAMPLERS,
    "stra.gate": GATES,
    "kprpe.formulation": FORMULATIONS,
    "kprpe.distance": tuple(DISTANCES),
    "kprpe.keypoints": KEYPOINTS,
    "kprpe.rotary": ROTARY,
    "kprpe.grid": ("", *GRIDS),
    "kprpe.mode": MODES,
    "video.sample_method": ("evenly", "random", "all"),
    "video.pooling_method": ("avg", "max"),
    "train.optim": OPTIMISERS,
    "train.lr_scheduler": ("single_step", "multi_step", "cosine"),
    "loss.name": ("softmax", "triplet", *MARGINS),
    "test.dist_metric": ("euclidean", "cosine"),
}
STRA_SHAPE = ("groups", "kernel_size", "ratio", "gate")  # of `stra`: what models are built with
AT_LEAST_ONE = (
    "stra.groups",
    "stra.kernel_size",
    "stra.ratio",
    "data.height",
    "data.width",
    "data.k_tfm",
    "train.max_epoch",
    "train.batch_size",
    "test.batch_size",
    "train.print_freq",
    "train.save_freq",
    "train.stepsize",
    "test.ranks",
    "test.visrank_topk",
    "sampler.num_instances",
    "sampler.num_cams",
    "sampler.num_datasets",
    "video.seq_len",
)
NOT_NEGATIVE = (
    "stra.weight_d",
    "data.workers",
    "data.split_id",
    "train.lr",
    "train.weight_decay",
    "train.start_epoch",
    "train.fixbase_epoch",
    "train.base_lr_mult",
    "train.gamma",
    "train.warmup_epoch",
    "data.affine.degrees",
    "data.affine.shift",
    "train.seed",
    "sgd.momentum",
    "rmsprop.alpha",
    "loss.triplet.margin",
    *(f"loss.{name}.margin" for name in MARGINS),
    "loss.triplet.weight_t",
    "loss.triplet.weight_x",
    "test.start_eval",
)
POSITIVE = (
    "data.norm_std",
    "data.affine.scale",
    "kprpe.ratio",
    "loss.adaface.h",
    *(f"loss.{name}.scale" for name in MARGINS),
)
BELOW_ONE = ("adam.beta1", "adam.beta2", "loss.adaface.t_alpha")
UP_TO_ONE = ("data.affine.turn_prob",)
AT_MOST = {
    "data.workers": MOST_WORKERS,
    "data.affine.scale": 2.0,
    "data.affine.degrees": 180.0,
    "data.affine.shift": 1.0,
}
THREE = ("data.norm_mean", "data.norm_std")  # red, green and blue
MAX_RANK = 50  # the host's CMC curve ends there

# Host keyword argument -> our key.
VIDEO_DATA = {
    "root": "data.root",
    "sources": "data.sources",
    "targets": "data.targets",
    "height": "data.height",
    "width": "data.width",
    "transforms": "data.transforms",
    "norm_mean": "data.norm_mean",
    "norm_std": "data.norm_std",
    "use_gpu": "use_gpu",
    "split_id": "data.split_id",
    "combineall": "data.combineall",
    "batch_size_train": "train.batch_size",
    "batch_size_test": "test.batch_size",
    "workers": "data.workers",
    "num_instances": "sampler.num_instances",
    "num_cams": "sampler.num_cams",
    "num_datasets": "sampler.num_datasets",
    "train_sampler": "sampler.train_sampler",
    "seq_len": "video.seq_len",
    "sample_method": "video.sample_method",
}
IMAGE_DATA = {kwarg: key for kwarg, key in VIDEO_DATA.items() if not key.startswith("video.")} | {
    "k_tfm": "data.k_tfm",
    "load_train_targets": "data.load_train_targets",
    "train_sampler_t": "sampler.train_sampler_t",
    "cuhk03_labeled": "cuhk03.labeled_images",
    "cuhk03_classic_split": "cuhk03.classic_split",
    "market1501_500k": "market1501.use_500k_distractors",
}
OPTIMIZER = {
    "optim": "train.optim",
    "lr": "train.lr",
    "weight_decay": "train.weight_decay",
    "momentum": "sgd.momentum",
    "sgd_dampening": "sgd.dampening",
    "sgd_nesterov": "sgd.nesterov",
    "rmsprop_alpha": "rmsprop.alpha",
    "adam_beta1": "adam.beta1",
    "adam_beta2": "adam.beta2",
    "staged_lr": "train.staged_lr",
    "new_layers": "train.new_layers",
    "base_lr_mult": "train.base_lr_mult",
}
SCHEDULER = {name: f"train.{name}" for name in ("lr_scheduler", "stepsize", "gamma", "max_epoch")}
ENGINE_RUN = {
    "save_dir": "data.save_dir",
    "test_only": "test.evaluate",
    "use_metric_cuhk03": "cuhk03.use_metric_cuhk03",
    **{name: f"train.{name}" for name in ("max_epoch", "start_epoch", "fixbase_epoch", "open_layers", "print_freq")},
    **{
        name: f"test.{name}"
        for name in (
            "start_eval",
            "eval_freq",
            "dist_metric",
            "normalize_feature",
            "visrank",
            "visrank_topk",
            "ranks",
            "rerank",
        )
    },
}
