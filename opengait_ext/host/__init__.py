"""The host: where OpenGait is, what it must offer, what a CPU run bridges, what its exceptions mean."""
