"""Weights of a file put into a model: what fits by name and shape, and a refusal where a test would be of chance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from plugins.common.checkpoints import FitReport, fit
from plugins.errors import KpstraError, some

from ..models.faces.transformers import reference_or_own
from ..models.fitting import models_that_fit, models_that_take_all
from .checkpoints import inner, load_checkpoint, require_same_network, weights_of
from .console import print_report


def load_weights(model: nn.Module, path: str | Path) -> FitReport:
    """Load what fits ``model`` by name and shape, as ``model.load_weights`` asks; print and return the report.

    The authors' StRA and KP-RPE (CVLface) checkpoints are recognised and renamed.

    Raises:
        KpstraError: an unreadable file, or one of which nothing fits.
    """
    report = _fit(model, path)
    print_report(report.summary())
    return report


def load_all_features(model: nn.Module, path: str | Path, settings: Mapping[str, Any] | None = None) -> FitReport:
    """Load all weights that features come from; the classifier's may be missing, or another number of people's.

    Args:
        model: the network.
        path: the file.
        settings: that the network was built with (:func:`reid_ext.models.options.network_settings`); ``None`` where
            nobody knows.

    Raises:
        KpstraError: an unreadable file, or one of another model: the rest would stay as chance has it, a part of the
            network would be left out, or it was trained to compute something else with the same tensors.
    """
    report = _fit(model, path)
    missing = [name for name in report.kept if "classifier" not in name]
    if missing:
        weights, _ = weights_of(load_checkpoint(path), path)
        models = models_that_fit(weights)
        fitting = f"it fits {' or '.join(models)}" if models else "it fits no model of the factory"
        needed = sum("classifier" not in name for name in (*report.weights, *report.kept))
        raise KpstraError(
            f"{path}: weights of another model: {len(missing)} of the {needed} tensors that features come from are not "
            f"in the file, or of another shape ({some(missing)}); {fitting}"
        )
    if report.unknown and (models := models_that_take_all(inner(model), weights_of(load_checkpoint(path), path)[0])):
        raise KpstraError(
            f"{path}: weights of another model: {len(report.unknown)} of them have no place in this one "
            f"({some(report.unknown)}); they fit {' or '.join(models)}"
        )
    if settings is not None:
        require_same_network(load_checkpoint(path), settings, path)
    return report


def _fit(model: nn.Module, path: str | Path) -> FitReport:
    weights = reference_or_own(inner(model), weights_of(load_checkpoint(path), path)[0])
    report = fit(weights, inner(model).state_dict(), path)
    inner(model).load_state_dict(report.weights, strict=False)
    return report
