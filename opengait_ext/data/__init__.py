"""Gait data: reading sequences safely, partitions, checks, joint transforms, preparation."""

SHIPPED = "tests/data/pets-mini/gait_raw"  # raw silhouettes and poses that a checkout of this repository holds
