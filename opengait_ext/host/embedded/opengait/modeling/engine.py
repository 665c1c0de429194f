"""The loops of training and testing a :class:`modeling.base_model.BaseModel`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
import torch
from evaluation import evaluator
from torch import distributed
from tqdm import tqdm
from utils import Odict, ddp_all_gather, get_attr_from, get_valid_args, run_device, ts2np

if TYPE_CHECKING:
    from .base_model import BaseModel


def train(model: BaseModel) -> None:
    """Train until ``total_iter``, saving, and testing if ``with_test``, every ``save_iter`` iterations."""
    engine_cfg = model.engine_cfg
    for batch in model.train_loader:
        inputs = model.inputs_pretreament(batch)
        with autocast(model):
            output = model(inputs)
        loss_sum, info = model.loss_aggregator(output["training_feat"])
        if not model.train_step(loss_sum):
            continue
        rate = model.optimizer.param_groups[0]["lr"]
        model.msg_mgr.train_step(info, {**output["visual_summary"], **info, "scalar/learning_rate": rate})
        if model.iteration % engine_cfg["save_iter"] == 0:
            model.save_ckpt(model.iteration)
            if engine_cfg["with_test"]:
                test_between(model)
        if model.iteration >= engine_cfg["total_iter"]:
            break


def test_between(model: BaseModel) -> None:
    """Test in the midst of training."""
    model.msg_mgr.log_info("Running test...")
    model.eval()
    results, fixed = model.run_test(model), model.cfgs["trainer_cfg"]["fix_BN"]
    model.train()
    if fixed:
        model.fix_BN()
    if results:
        model.msg_mgr.write_to_tensorboard(results)
    model.msg_mgr.reset_time()


def test(model: BaseModel) -> dict[str, float] | None:
    """Evaluate the features of the test half; the first process returns the results.

    Raises:
        ValueError: the batch size is not the number of processes, or no such ``eval_func``.
    """
    cfg, names, processes = model.cfgs["evaluator_cfg"], model.cfgs["data_cfg"], distributed.get_world_size()
    if cfg["sampler"]["batch_size"] != processes:
        raise ValueError(
            f"evaluator_cfg.sampler.batch_size: {cfg['sampler']['batch_size']}: a test takes one sequence "
            f"a process, and there are {processes}"
        )
    evaluate = get_attr_from([evaluator], cfg.get("eval_func", "identification"))
    rank = distributed.get_rank()
    with torch.no_grad():
        results = model.inference(rank)
    if rank != 0:
        return None
    dataset = model.test_loader.dataset
    results.update(labels=dataset.label_list, types=dataset.types_list, views=dataset.views_list)
    name = names.get("test_dataset_name", names["dataset_name"])
    return evaluate(results, name, **get_valid_args(evaluate, cfg))


def features(model: BaseModel, show: bool) -> Odict:
    """Return the features of all test sequences as arrays, in the data set's order; ``show`` a progress bar."""
    total, batch_size = len(model.test_loader), model.test_loader.batch_sampler.batch_size
    found = Odict()
    with tqdm(total=total, desc="Transforming", disable=not show) as progress:
        for batch in model.test_loader:
            inputs = model.inputs_pretreament(batch)
            with autocast(model):
                output = model.forward(inputs)["inference_feat"]
            found.append({k: ts2np(ddp_all_gather(v, requires_grad=False)) for k, v in output.items()})
            progress.update(min(batch_size, total - progress.n))
    return Odict((name, np.concatenate(arrays)[:total]) for name, arrays in found.items())


def autocast(model: BaseModel) -> AbstractContextManager:
    """Return the context of mixed precision, which needs a GPU and ``enable_float16``."""
    device = run_device().type
    return torch.amp.autocast(device, enabled=device == "cuda" and model.engine_cfg["enable_float16"])
