"""Checkpoints tested under every error asked for, and what came out, written."""

from __future__ import annotations

import argparse

from tqdm import tqdm

from plugins.benchmarks.robustness.cli import asked, write
from plugins.benchmarks.robustness.store import Store
from plugins.common.folders import claim

from ...settings.load import default_values
from ...training.console import run_log
from ..leaderboard import versions
from . import WORDS
from .sweep import OpenRun, record


def evaluate(options: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture.

    Args:
        options: of the command, see ``reid-ext robustness --help``.

    Raises:
        KpstraError: any mistake in the options, the settings, the checkpoints or the data.
    """
    runs, wanted = asked(options)
    joints = {"joint_noise": options.joint_noise, "joint_dropout": options.joint_dropout}
    with run_log():
        opened = [OpenRun(one, options.root, options.overrides, options.queries_only) for one in runs]
        with claim(options.output, {"queries_only": options.queries_only, **joints}, alone=True):
            store = Store(options.output)
            for one in opened:
                store.claim(one.run.key, record(one.run, one.cfg), default_values())
            todo = [[p for p in wanted if store.find(one.run.key, p) is None] for one in opened]
            if any(todo):
                store.made_by(options.command_line, versions())
            steps = [len(left) * one.images for left, one in zip(todo, opened, strict=True)]
            with tqdm(total=sum(steps), desc="Testing", unit="image", disable=None) as bar:
                for one, left in zip(opened, todo, strict=True):
                    for point, metrics in one.measure(left, bar, **joints):
                        store.put(one.run.key, point, metrics)
            write(options, WORDS, runs, store.content, wanted)
