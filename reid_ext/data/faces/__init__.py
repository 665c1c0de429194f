"""Face data sets: the files that they come in, as images and identities of torchreid's data sets."""
