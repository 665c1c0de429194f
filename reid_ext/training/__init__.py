"""A run of torchreid: build, engines, checkpoints, ranking, numerics, results."""
