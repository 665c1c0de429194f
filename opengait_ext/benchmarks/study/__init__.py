"""A comparison asked properly: rows against their own controls, seeds, trainings and tests, and what the runs decide.

The table (``configs/study_walkers.yaml``) names the rows, each a configuration and what it sets, the trainings and the
tests. A run trains one row under one training and one seed with the host's own trainer, then extracts the features of
the same test people under every test. Every test sequence is a probe against all others: rank-1 and mAP in percent.

For each seed and training one trunk is trained, and all rows that start from it (`warm_start`) share its weights, while
the others start from random weights, whatever `trainer_cfg.restore_hint` their configurations have; batches, frames and
augmentations follow from the seed and are the same for all rows. So a row is compared with its control within a seed,
and the page gives the mean of these differences with a 95 % confidence interval.

Seeds are made one after the other, each whole, so that a study that was stopped can be read. Every finished run is a
JSON file in ``<output>/runs``; the same command goes on from there, on another machine too. The walkers and the
disturbed test sequences are made on first use in ``--data`` and may be deleted afterwards.
"""
