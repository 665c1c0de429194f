"""Metrics are logged as a table; other messages stay as they are."""

import logging

import numpy as np

from opengait_ext.training.log import MetricsAsTable


def said(message):
    shown = MetricsAsTable()
    record = logging.LogRecord("opengait", logging.INFO, "", 0, message, None, None)
    assert shown.filter(record)
    return record.getMessage(), shown.shown


def test_metrics():
    metrics = {"scalar/test_accuracy/Rank-1": np.float32(50), "scalar/test_accuracy/mAP": np.float64(61.239)}
    assert said(metrics) == ("Metrics:\n  Rank-1    50.00\n  mAP       61.24", True)


def test_others():
    for message in ({"save_name": "x"}, {}, "scalar/test_accuracy/mAP", ["scalar/x"]):
        assert said(message) == (str(message), False)
