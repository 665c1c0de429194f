"""A process of a launch: write which sequences its training and test loaders give. FOLDER HOST BATCHES."""

import json
import sys
from itertools import islice
from pathlib import Path

from torch import distributed

from opengait_ext.settings.load import load_settings, resolve_paths
from opengait_ext.training.hosted import hosted_class
from opengait_ext.training.session import adapt, session


def main(folder: Path, choice: str, batches: int) -> None:
    with session(choice, "cpu") as (host, device):
        sys.modules["utils"].get_msg_mgr().init_logger("", False)
        settings = load_settings(
            host,
            "opengait/pets_swingait2d_kprpe",
            (
                f"data_cfg.dataset_root={folder / 'data'}",
                f"data_cfg.dataset_partition={folder / 'partition.json'}",
                "trainer_cfg.sampler.frames_num_fixed=3",
                "trainer_cfg.sampler.frames_skip_num=1",
                "evaluator_cfg.restore_hint=0",
            ),
        )
        resolve_paths(settings, host, "train")
        adapt(settings, device)
        names = {}
        for phase in ("train", "test"):
            model = hosted_class(host, settings["model_cfg"]["model"])(settings, phase == "train")
            loader = model.train_loader if phase == "train" else model.test_loader
            labels, limit = loader.dataset.dataset.label_set, batches if phase == "train" else None
            names[phase] = [
                [(labels[label], kind, view) for label, kind, view in zip(*batch[1:4], strict=True)]
                for batch in islice(loader, limit)
            ]
        world, rank = distributed.get_world_size(), distributed.get_rank()
        (folder / f"names-{world}-{rank}.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
