"""An engine and a model that do not go together, and a batch without a triplet, told in one line."""

from __future__ import annotations

from torch import Tensor, nn

from plugins.errors import KpstraError

from .margins import MarginClassifier


def check_partner(model: nn.Module, loss: str, people: int, engine: str) -> None:
    """Check that a model was built for an engine's loss and data.

    torchreid's models say in ``model.loss`` what they were built for. One for the triplet loss returns logits and
    features, of which the softmax engine would train both as logits.

    Raises:
        KpstraError: names both.
    """
    classifier = getattr(model, "classifier", None)
    if isinstance(classifier, MarginClassifier) != (loss == "margin"):
        needs, has = ("needs a", "none") if loss == "margin" else ("trains no", "one")
        raise KpstraError(f"{engine}: {needs} margin head (give_margin), and this {type(model).__name__} has {has}")
    wanted = "softmax" if loss == "margin" else loss
    built = getattr(model, "loss", wanted)
    if built in ("softmax", "triplet") and built != wanted:
        raise KpstraError(
            f"{engine}: needs a model built with loss={wanted!r}, but this {type(model).__name__} was built with "
            f"loss={built!r}; build it again for this engine"
        )
    told_apart = classifier.head.classes if loss == "margin" else getattr(classifier, "out_features", people)
    if told_apart < people:
        raise KpstraError(
            f"{engine}: {type(model).__name__} tells {told_apart} people apart, but the training data has "
            f"{people}; build it with num_classes={people}"
        )


def check_triplet_batch(pids: Tensor, where: str) -> None:
    """Check that a batch's identities (B,) are of more than one person.

    Raises:
        KpstraError: they are not; ``where`` says in which batch.
    """
    if len(pids.unique()) < 2:
        raise KpstraError(
            f"loss.name triplet: {where}: all {len(pids)} images are of one person, and a triplet needs two; set "
            "sampler.train_sampler RandomIdentitySampler, or raise train.batch_size"
        )
