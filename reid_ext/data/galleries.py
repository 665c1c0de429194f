"""Query and gallery of a test, looked at before features are extracted for an hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from yacs.config import CfgNode

from plugins.errors import KpstraError

from .splits import RANKING

RERANK_NEIGHBOURS = 20  # of re-ranking, over queries and gallery together; the host's default


def check_galleries(cfg: CfgNode, datamanager) -> None:
    """Check that every target can be ranked; print their sizes, and where a rank says little.

    Raises:
        KpstraError: no query has a match, or there are too few images to re-rank, or the host's metric for CUHK03 does
            not run with this NumPy.
    """
    if cfg.cuhk03.use_metric_cuhk03 and not hasattr(np, "bool"):
        raise KpstraError(
            f"cuhk03.use_metric_cuhk03: True: torchreid's code for it does not run with numpy {np.__version__}; "
            "install numpy 2 or newer"
        )
    for name in cfg.data.targets:
        query, gallery = datamanager.fetch_test_loaders(name)
        protocol = getattr(datamanager.test_loader[name]["query"].dataset, "protocol", RANKING)
        if protocol != RANKING:
            print(f"Test on {name}: {len(query):,} images, {protocol}")
            continue
        print(f"Test on {name}: {len(query):,} queries, {len(gallery):,} gallery images")
        lengths = ranked_lengths(query, gallery)
        if not lengths:
            raise KpstraError(f"data.targets: {name!r}: no query person is in the gallery under another camera")
        if cfg.test.rerank and len(query) + len(gallery) <= RERANK_NEIGHBOURS:
            raise KpstraError(
                f"test.rerank: True: {name} has {len(query)} queries and {len(gallery)} gallery images; re-ranking "
                f"looks at {RERANK_NEIGHBOURS} neighbours of each"
            )
        shortest = len({image[1] for image in gallery}) if cfg.cuhk03.use_metric_cuhk03 else min(lengths)
        trivial = [str(rank) for rank in cfg.test.ranks if rank >= shortest]
        if trivial:
            print(
                f"Note: {name}: a query may have only {shortest} gallery images; rank {', '.join(trivial)} says little"
            )


def ranked_lengths(query: Sequence[tuple], gallery: Sequence[tuple]) -> list[int]:
    """Return how many gallery images are ranked for each query that has a match.

    Images are (path, person, camera, ...); those of the query's person and camera do not count.
    """
    people = Counter(image[1] for image in gallery)
    same_view = Counter((image[1], image[2]) for image in gallery)
    junk = [(image[1], same_view[image[1], image[2]]) for image in query]
    return [len(gallery) - left_out for person, left_out in junk if people[person] > left_out]
