"""StRA inside torchreid: models in its factory, engines with the diversity loss, and a command line."""


def register() -> None:
    """Put the StRA models and their baselines into torchreid's own model factory (:mod:`reid_ext.models.factory`)."""
    from .models.factory import register as register_models

    register_models()


__all__ = ["register"]
