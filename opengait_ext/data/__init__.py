"""Gait data: reading sequences safely, partitions, checks, joint transforms, preparation."""
