"""Networks with StRA and their baselines, in torchreid's own factory."""
