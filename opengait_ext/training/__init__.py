"""A run of OpenGait: launch, model mixin, checkpoints, seeding, numerics, restored models."""
