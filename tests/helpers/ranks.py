"""A function in several processes of one gloo group."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing import start_processes


def run_ranks(worker: Callable[..., None], *arguments: Any, ranks: int = 2) -> None:
    """Run ``worker(rank, *arguments)`` in so many processes; an error of one of them is raised here."""
    how = "spawn" if torch.cuda.is_available() else "fork"  # CUDA does not outlive a fork
    with tempfile.TemporaryDirectory() as folder:
        store = (Path(folder) / "store").as_uri()
        start_processes(_rank, (worker, arguments, ranks, store), nprocs=ranks, start_method=how)


def _rank(rank: int, worker: Callable[..., None], arguments: tuple[Any, ...], ranks: int, store: str) -> None:
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=ranks)
    worker(rank, *arguments)
    distributed.destroy_process_group()
