"""Checkpoints tested under every error asked for, and what came out, written."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from torch import distributed
from tqdm import tqdm

from plugins.benchmarks.robustness.cli import asked, write
from plugins.benchmarks.robustness.store import Store
from plugins.common.folders import claim
from plugins.common.memory import keep_freed_memory

from ...host.installation import versions
from ...settings.load import default_values
from ...training.restore import quiet
from ...training.session import session
from . import WORDS
from .sweep import measure, open_run, record


def evaluate(options: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture.

    Args:
        options: of the command, see ``opengait-ext robustness --help``.

    Raises:
        KpstraError: any mistake in the options, the settings, the checkpoints or the data.
    """
    runs, wanted = asked(options)
    with session(options.host, options.device) as (host, device), quiet(host):
        if device == "cpu":
            keep_freed_memory()
        first = distributed.get_rank() == 0
        models = [open_run(host, device, one, options.overrides, options.queries_only) for one in runs]
        joints = {"joint_noise": options.joint_noise, "joint_dropout": options.joint_dropout}
        setting = {"host": host.kind, "probes_only": options.queries_only, **joints}
        with claim(options.output, setting, alone=True) if first else nullcontext():
            store, defaults = Store(options.output), default_values(host)
            for one, model in zip(runs, models, strict=True):
                store.claim(one.key, record(one, model.cfgs), defaults)
            todo = [[p for p in wanted if store.find(one.key, p) is None] for one in runs]
            if first and any(todo):
                store.made_by(options.command_line, versions(host))
            steps = [len(p) * len(model.test_loader.dataset) for p, model in zip(todo, models, strict=True)]
            with tqdm(total=sum(steps), desc="Testing", unit="seq", disable=None if first else True) as bar:
                for one, model, left in zip(runs, models, todo, strict=True):
                    for point, metrics in measure(host, model, left, bar, **joints):
                        store.put(one.key, point, metrics)
            if first:
                write(options, WORDS, runs, store.content, wanted)
