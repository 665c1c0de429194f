"""Who walks in a body of the package anny: phenotypes, with the habits of gait that the stick figure has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .identity import Identity

# name: mean, standard deviation, lowest, highest, on anny's scales from 0 to 1
PHENOTYPES = {
    "gender": (0.5, 0.25, 0.0, 1.0),
    "age": (0.72, 0.06, 0.62, 1.0),
    "muscle": (0.5, 0.12, 0.05, 0.95),
    "weight": (0.5, 0.12, 0.05, 0.95),
    "height": (0.42, 0.06, 0.22, 0.62),
    "proportions": (0.5, 0.15, 0.0, 1.0),
    "cupsize": (0.5, 0.12, 0.0, 1.0),
    "firmness": (0.5, 0.12, 0.0, 1.0),
    "african": (0.5, 0.15, 0.05, 1.0),
    "asian": (0.5, 0.15, 0.05, 1.0),
    "caucasian": (0.5, 0.15, 0.05, 1.0),
}


@dataclass(frozen=True)
class Phenotypes:
    """The body, on anny's scales from 0 to 1."""

    gender: float  # 0 male, 1 female
    age: float  # 2/3 young, 1 old; there are adults only
    muscle: float
    weight: float
    height: float
    proportions: float
    cupsize: float
    firmness: float
    african: float  # three kinds of features, by their shares of the sum
    asian: float
    caucasian: float

    @classmethod
    def sample(cls, seed: int, spread: float = 1.0) -> Phenotypes:
        """Draw a body; ``spread`` is a factor on the differences."""
        draws = np.random.default_rng([seed, 11]).standard_normal(len(PHENOTYPES))
        return cls(
            **{
                name: float(np.clip(mean + spread * deviation * draw, low, high))
                for (name, (mean, deviation, low, high)), draw in zip(PHENOTYPES.items(), draws, strict=True)
            }
        )


@dataclass(frozen=True)
class MeshIdentity(Identity):
    """One person: an :class:`Identity` whose lengths give way to those of the body that phenotypes make."""

    phenotypes: Phenotypes

    @classmethod
    def sample(cls, seed: int, spread: float = 1.0) -> MeshIdentity:
        """Draw a person as :meth:`Identity.sample` does: a seed's habits of gait are the same in both bodies."""
        return cls(**vars(Identity.sample(seed, spread)), phenotypes=Phenotypes.sample(seed, spread))
