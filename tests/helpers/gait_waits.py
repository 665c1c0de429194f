"""The waits for a CUDA device in a run of each network, counted by torch, as JSON; hosts are one a process."""

import json
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch

from opengait_ext.host.active import model_class
from opengait_ext.settings.load import load_settings, resolve_paths
from opengait_ext.training.hosted import hosted_class
from opengait_ext.training.session import adapt, session

STEPS = (  # small, and with nothing between them
    "trainer_cfg.sampler.batch_size=[2, 2]",
    "trainer_cfg.sampler.frames_num_fixed=2",
    "trainer_cfg.sampler.frames_skip_num=0",
    "trainer_cfg.save_iter=100",
    "trainer_cfg.log_iter=100",
    "trainer_cfg.with_test=false",
)
GAIT = (
    *STEPS,
    "model_cfg.Backbone.layers=[1,1,2,2]",
    "model_cfg.Backbone.channels=[8,16]",
    "model_cfg.SeparateBNNecks={in_channels: 16, class_num: 4, parts_num: 16}",
    "model_cfg.transformer={embed_dim: 16, num_heads: [2, 4]}",
    "trainer_cfg.restore_hint=0",
    "trainer_cfg.total_iter=6",
    "data_cfg.num_workers=2",
)
PLAIN, KPRPE = "opengait/swingait2d_gait3d", "opengait/swingait2d_kprpe_gait3d"
NETWORKS = {
    "plain": (PLAIN, "data_cfg.data_in_use=[true, false]"),
    "KP-RPE": (KPRPE,),
    "second order": (KPRPE, "model_cfg.kprpe.formulation=second_order", "model_cfg.kprpe.grid=image"),
    "nonlinear": (KPRPE, "model_cfg.kprpe.formulation=nonlinear", "model_cfg.kprpe.grid=image"),
    "rotary": (KPRPE, "model_cfg.kprpe.formulation=none", "model_cfg.kprpe.rotary=body"),
}


@contextmanager
def counted():
    """A list that every wait for the device is appended to, as torch warns of it."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")

        def note(message, category, filename, lineno, *_):
            if "synchroniz" in str(message):
                found.append(f"{filename}:{lineno}: {message}")

        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")


class Loading:
    """A loader that marks in ``found`` where each of its batches is given."""

    def __init__(self, loader, found):
        self.loader, self.found, self.marks = loader, found, []

    def __iter__(self):
        for batch in self.loader:
            self.marks.append(len(self.found))
            yield batch


def gait_waits(data, choice, device, config, *overrides, hosted=True):
    """What the last but one of a run's steps waits for."""
    with session(choice, device) as (host, _):
        paths = f"data_cfg.dataset_root={data / 'data'}", f"data_cfg.dataset_partition={data / 'partition.json'}"
        settings = load_settings(host, config, (*paths, *GAIT, *overrides))
        resolve_paths(settings, host, "train")
        adapt(settings, device)
        host.messages.init_manager("output", False, 100)
        name = settings["model_cfg"]["model"]
        model = (hosted_class(host, name) if hosted else model_class(host, name))(settings, True)
        with counted() as found:
            model.train_loader = loading = Loading(model.train_loader, found)
            type(model).run_train(model)
        return found[loading.marks[-2] : loading.marks[-1]]


def main(choice: str, data: str, float16: str, device: str = "cuda") -> None:
    """Print what a step of the host's own plain network waits for, and of all networks in our runs."""
    precision = f"trainer_cfg.enable_float16={float16}"
    found = {"host": gait_waits(Path(data), choice, device, *NETWORKS["plain"], precision, hosted=False)}
    for name, settings in NETWORKS.items():
        found[name] = gait_waits(Path(data), choice, device, *settings, precision)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
