"""Helpers that know no host: command lines, files, settings, checkpoints, processes, numerics, ONNX."""
