"""A trained network tested as a data set's protocol says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from ..data.splits import ACCURACY, IDENTIFICATION, TEMPLATES, VERIFICATION
from .accuracy import classify
from .features import extract_features
from .identification import identify
from .templates import pair_scores, template_features, true_accepts
from .verification import FAR, verify


class Measured(NamedTuple):
    """Shares from 0 to 1 by name, the most important first; scores of pairs and whether they are of one person."""

    metrics: Mapping[str, float]
    scores: np.ndarray | None = None
    same: np.ndarray | None = None


def verification(model: nn.Module, query: DataLoader, _: DataLoader, device: torch.device) -> Measured:
    """Pairs, images 2i and 2i + 1 of the loader."""
    found = verify(extract_features(model, query, device), query.dataset.truth)
    metrics = {"Accuracy": found.accuracy, "Deviation": found.deviation, f"VAL@{FAR:g}": found.val[0]}
    return Measured(metrics, found.scores, found.same)


def templates(model: nn.Module, query: DataLoader, _: DataLoader, device: torch.device) -> Measured:
    """Pairs of templates."""
    truth = query.dataset.truth
    features = extract_features(model, query, device)
    numbers, features = template_features(features, truth.templates, truth.medias, truth.detection)
    scores = pair_scores(numbers, features, truth.first, truth.second)
    return Measured(
        {f"TAR@{rate:g}": share for rate, share in true_accepts(scores, truth.same).items()}, scores, truth.same
    )


def identification(model: nn.Module, query: DataLoader, gallery: DataLoader, device: torch.device) -> Measured:
    """Probes against a gallery with distractors."""
    parts = ((extract_features(model, loader, device), people(loader)) for loader in (query, gallery))
    (probes, names), (others, named) = parts
    return Measured({f"Rank-{k}": share for k, share in identify(probes, names, others, named).items()})


def accuracy(model: nn.Module, query: DataLoader, _: DataLoader, device: torch.device) -> Measured:
    """Classes, for each of the data set's tests."""
    right = classify(model, query, device).argmax(1) == people(query)
    tests = np.array(query.dataset.truth)
    return Measured({f"{test}": float(right[tests == test].mean()) for test in dict.fromkeys(tests.tolist())})


def people(loader: DataLoader) -> np.ndarray:
    """Return the numbers (N,) of the people of a loader's images."""
    return np.array([item[1] for item in loader.dataset.data])


PROTOCOLS: dict[str, Callable[[nn.Module, DataLoader, DataLoader, Any], Measured]] = {
    VERIFICATION: verification,
    TEMPLATES: templates,
    IDENTIFICATION: identification,
    ACCURACY: accuracy,
}
