"""torchreid's yacs schema with ours: reading and checks."""
