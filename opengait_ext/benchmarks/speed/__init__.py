"""Benchmarks of the OpenGait half: preparing the data, and cost against sequence length and batch."""
