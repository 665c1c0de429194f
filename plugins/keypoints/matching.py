"""Which image a name in a keypoint file is of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath

from ..errors import KpstraError, some


class ImageIndex:
    """Finds images by the ends of their paths: ``query/a.jpg`` and ``a`` are names of ``/data/market/query/a.jpg``.

    A name must be a path's end as a whole, with or without the suffix of its last part: keypoints of
    ``occluded/001_01.tif`` are never given to ``whole/001_01.tif``.
    """

    def __init__(self, images: Iterable[str]) -> None:
        self.images = list(dict.fromkeys(map(str, images)))
        self._by_depth: dict[int, dict[str, list[str]]] = {}

    def find(self, name: str) -> str | None:
        """Return the image of a name, or ``None``.

        Raises:
            KpstraError: it is the name of several images.
        """
        parts = [part for part in name.split("/") if part]
        found = self._of_depth(len(parts)).get("/".join(parts), [])
        if len(found) > 1:
            raise KpstraError(
                f"keypoints of {name!r}: {len(found)} images have this name: {some(found, 2)}; keypoints must be named "
                "with the folder of their image"
            )
        return found[0] if found else None

    def _of_depth(self, depth: int) -> dict[str, list[str]]:
        """Images by the last ``depth`` parts of their paths."""
        if depth not in self._by_depth:
            table = defaultdict(list)
            for image in self.images:
                path = PurePath(image)
                for end in {path.parts[-depth:], (*path.parts[:-1], path.stem)[-depth:]}:
                    table["/".join(end)].append(image)
            self._by_depth[depth] = table
        return self._by_depth[depth]
