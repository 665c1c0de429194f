"""Protocols and metrics of retrieval by gait."""

from . import evaluator, metric

__all__ = ["evaluator", "metric"]
