"""What an identity wears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLOTH = ((40, 42, 48), (225, 225, 220), (150, 35, 40), (45, 70, 130), (70, 105, 65), (185, 155, 105))
TROUSERS = ((35, 36, 42), (50, 62, 95), (120, 110, 90), (150, 150, 152))
SKIN = ((236, 198, 170), (198, 148, 112), (120, 80, 58))
HAIR = ((28, 24, 22), (95, 62, 38), (190, 160, 105), (150, 150, 150))
SHOES = ((30, 28, 28), (210, 210, 210))


@dataclass(frozen=True)
class Outfit:
    """What an identity wears; RGB, 0 to 255. There are few colours, so that many identities share theirs."""

    upper: tuple[int, int, int]
    lower: tuple[int, int, int]
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shoes: tuple[int, int, int]
    bag: tuple[int, int, int]
    sleeves: bool  # long
    trousers: bool  # long

    @classmethod
    def sample(cls, seed: int) -> Outfit:
        """Draw an outfit; the same seed gives the same one."""
        rng = np.random.default_rng([seed, 6])
        pick = [palette[rng.integers(len(palette))] for palette in (CLOTH, TROUSERS, SKIN, HAIR, SHOES, CLOTH)]
        return cls(*pick, sleeves=bool(rng.random() < 0.6), trousers=bool(rng.random() < 0.8))

    def colour(self, part: str) -> tuple[int, int, int]:
        """The colour of a body part."""
        if part == "sleeve":
            return self.upper if self.sleeves else self.skin
        if part == "calf":
            return self.lower if self.trousers else self.skin
        return getattr(self, part)
