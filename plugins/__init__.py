"""Plugin modules for gait and person re-identification: pure torch, no host framework is imported here."""

from .common.version import VERSION as __version__

__all__ = ["__version__"]
