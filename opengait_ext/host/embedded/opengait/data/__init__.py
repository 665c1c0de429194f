"""Samples of sequences: the data set, samplers, the collate function and transforms."""
