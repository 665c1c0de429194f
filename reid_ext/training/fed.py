"""An engine whose models may take keypoints: those of each batch, in training and in tests."""

from __future__ import annotations

from collections.abc import Mapping

from plugins.errors import KpstraError

from ..models.feed import KeypointFeed, takes_keypoints


class FedEngine:
    """Mixed into a host's engine, in front of it: models that take keypoints get those of the batch."""

    _feeds: tuple[KeypointFeed, ...] = ()

    def register_model(self, name: str = "model", model=None, optim=None, sched=None) -> None:
        """Register a model as the host does."""
        super().register_model(name, model, optim, sched)
        if takes_keypoints(model):
            self._feeds = (*self._feeds, KeypointFeed(model))

    def parse_data_for_train(self, data: Mapping) -> tuple:
        """Return what the host does; models called with these images get their keypoints too.

        Raises:
            KpstraError: a model takes keypoints and the data have none.
        """
        self._feed(data)
        return super().parse_data_for_train(data)

    def parse_data_for_eval(self, data: Mapping) -> tuple:
        """As :meth:`parse_data_for_train`."""
        self._feed(data)
        return super().parse_data_for_eval(data)

    def _feed(self, data: Mapping) -> None:
        for feed in self._feeds:
            if "keypoints" not in data:
                raise KpstraError("the model takes keypoints, and these data have none; set data.keypoints FILE")
            feed.give(data["keypoints"])
