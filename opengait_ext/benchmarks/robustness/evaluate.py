"""Checkpoints tested under every error asked for, and what came out, written."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext

from torch import distributed
from tqdm import tqdm

from plugins.benchmarks.report import write_page
from plugins.common.files import atomic_write
from plugins.common.folders import claim
from plugins.common.memory import keep_freed_memory
from plugins.errors import KpstraError

from ...host.installation import versions
from ...training.restore import quiet
from ...training.session import session
from .disturb import Disturbance
from .plot import plot
from .report import chosen_metrics, curves, markdown, page, table
from .store import Store, record
from .sweep import CheckpointRun, measure, numbered, open_run, points


def evaluate(options: argparse.Namespace) -> None:
    """Test what is not tested yet, then write table and picture.

    Args:
        options: of the command, see ``opengait-ext robustness --help``.

    Raises:
        KpstraError: any mistake in the options, the settings, the checkpoints or the data.
    """
    runs = numbered([CheckpointRun.of(text) for text in options.runs])
    for error in options.errors:
        for severity in options.severities:
            Disturbance.of(error, severity, options.joint_noise, options.joint_dropout)
    if min(options.seeds) < 0:
        raise KpstraError(f"--seeds {min(options.seeds)}: expected whole numbers from 0")
    wanted = points(list(dict.fromkeys(options.errors)), options.severities, list(dict.fromkeys(options.seeds)))
    with session(options.host, options.device) as (host, device), quiet(host):
        if device == "cpu":
            keep_freed_memory()
        first = distributed.get_rank() == 0
        models = [open_run(host, device, one, options.overrides, options.probes_only) for one in runs]
        joints = {"joint_noise": options.joint_noise, "joint_dropout": options.joint_dropout}
        setting = {"host": host.kind, "probes_only": options.probes_only, **joints}
        with claim(options.output, setting, alone=True) if first else nullcontext():
            store = Store(options.output)
            for one, model in zip(runs, models, strict=True):
                store.claim(one.key, record(one, model.cfgs))
            todo = [[p for p in wanted if store.find(one.key, p) is None] for one in runs]
            if first and any(todo):
                store.made_by(options.command_line, versions(host))
            steps = [len(p) * len(model.test_loader.dataset) for p, model in zip(todo, models, strict=True)]
            with tqdm(total=sum(steps), desc="Testing", unit="seq", disable=None if first else True) as bar:
                for one, model, left in zip(runs, models, todo, strict=True):
                    for point, metrics in measure(host, model, left, bar, **joints):
                        store.put(one.key, point, metrics)
            if first:
                write(options, runs, store.content, wanted)


def write(options: argparse.Namespace, runs: Sequence, content: dict, wanted: Sequence) -> None:
    """Write ``robustness.md``, ``.png`` and ``.html`` of the points asked for, and say where they are."""
    asked = {(p.error, p.severity, p.seed) for p in wanted}
    names = {one.key: one.label for one in runs}
    labels = list(dict.fromkeys(names.values()))
    measured = [
        {**p, "run": names[p["run"]]}
        for p in content["points"]
        if p["run"] in names and (p["error"], p["severity"], p["seed"]) in asked
    ]
    metrics = chosen_metrics(measured, options.metrics)
    found = curves(measured, labels, list(dict.fromkeys(options.errors)))
    about = f"{'probes' if options.probes_only else 'probes and gallery'} misaligned; severity: standard deviation"
    if options.joint_noise or options.joint_dropout:
        about += f"; joints with {options.joint_noise:g} noise and {options.joint_dropout:g} drop-out at severity 1"
    draws, trainings = len(set(options.seeds)), sorted({list(names.values()).count(label) for label in labels})
    about += f"; {draws} draw{'s' if draws > 1 else ''}, {' to '.join(map(str, trainings))} trained for each line"
    about += ", band: ± standard deviation" if max(draws, *trainings) > 1 else ""
    about = f"{about[0].upper()}{about[1:]}."
    lines = table(found, metrics)
    text = markdown(lines)
    with atomic_write(options.output / "robustness.md", "w") as stream:
        stream.write(f"{text}\n\n{about}\n")
    plot(found, metrics, options.output / "robustness.png", about)
    tested = {one.key: content["runs"][one.key] for one in runs}
    look = page(lines, about, options.output / "robustness.png", tested, content.get("made", []))
    write_page(look, options.output / "robustness.html")
    print(text)
    for name in ("robustness.json", "robustness.md", "robustness.png", "robustness.html"):
        print(options.output / name)
