"""Batches on CUDA, made in the host's way and by the loader's workers; hosts are one a process."""

import sys
from itertools import islice
from pathlib import Path

import torch
from gait_waits import GAIT, NETWORKS

from opengait_ext.settings.load import load_settings, resolve_paths
from opengait_ext.training.hosted import hosted_class
from opengait_ext.training.pretreatment import Prepared, mapped
from opengait_ext.training.session import adapt, session


def batches(model, way, on_cuda, count=4):
    """What the network is given of a new loader, way by way."""
    model.batches = 0
    model.cfgs["data_cfg"]["pretreatment"] = way
    found = []
    for number, inputs in enumerate(islice(iter(model.get_loader(model.cfgs["data_cfg"])), count)):
        if way == "workers":
            assert isinstance(inputs, Prepared)
            if on_cuda:
                mapped(inputs.ready, lambda tensor: require(tensor.is_pinned(), "a batch is not in pinned memory"))
                torch.cuda.set_sync_debug_mode("error" if number else "default")  # CUDA's generators may be new
        try:
            found.append(model.inputs_pretreament(inputs))
        finally:
            if on_cuda:
                torch.cuda.set_sync_debug_mode("default")
    return found


def require(condition, told):
    if not condition:
        raise AssertionError(told)


def main(choice, data, device="cuda"):
    """Compare them, bit for bit, and say how many were equal."""
    on_cuda = device == "cuda"
    with session(choice, device) as (host, _):
        host.messages.init_manager("output", False, 100)
        for config, *overrides in (NETWORKS["plain"], NETWORKS["KP-RPE"]):
            paths = f"data_cfg.dataset_root={Path(data) / 'data'}", f"data_cfg.dataset_partition={data}/partition.json"
            settings = load_settings(host, config, (*paths, *GAIT, "trainer_cfg.seed=5", *overrides))
            resolve_paths(settings, host, "train")
            adapt(settings, device)
            model = hosted_class(host, settings["model_cfg"]["model"])(settings, True)
            theirs, ours = batches(model, "host", on_cuda), batches(model, "workers", on_cuda)
            for expected, found in zip(theirs, ours, strict=True):
                require(expected[2:4] == found[2:4], "other sequences")
                pairs = [*zip(expected[0], found[0], strict=True), (expected[1], found[1])]
                for here, there in pairs:
                    require(there.is_cuda == here.is_cuda == on_cuda and there.dtype == here.dtype, "device or type")
                    require(torch.equal(here, there), "other numbers")
            require(not torch.equal(ours[0][0][0], ours[1][0][0]), "all batches are one")
            print(f"{len(ours)} batches equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
