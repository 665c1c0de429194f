"""From the figure's walk to bones: smallest rotations, and limbs that point where the figure's do."""

import numpy as np
import pytest

from plugins.benchmarks.walkers import MeshIdentity, Sequence
from plugins.benchmarks.walkers.gait import walk
from plugins.benchmarks.walkers.mesh import load_body
from plugins.benchmarks.walkers.mesh.pose import TO_RIG, between, bone_turns

LIMBS = {  # bone, the one after it: the figure's points
    ("Arm", "ForeArm"): ("shoulder", "elbow"),
    ("ForeArm", "Hand"): ("elbow", "wrist"),
    ("UpLeg", "Leg"): ("hip", "knee"),
    ("Leg", "Foot"): ("knee", "ankle"),
}


def unit(way):
    return way / np.linalg.norm(way, axis=-1, keepdims=True)


def test_the_smallest_rotation():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 50, 3))
    turn = between(a, b)
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turn), 1)
    np.testing.assert_allclose(np.einsum("tij,tj->ti", turn, unit(a)), unit(b), atol=1e-12)
    angle = np.arccos((np.trace(turn, axis1=1, axis2=2) - 1) / 2)
    np.testing.assert_allclose(angle, np.arccos((unit(a) * unit(b)).sum(1)), atol=1e-6)
    np.testing.assert_allclose(between(a[0], a[:1]), np.eye(3)[None], atol=1e-12)


@pytest.mark.parametrize("seed", [0, 3])
def test_limbs_point_where_the_figures_do(seed):
    pytest.importorskip("anny", reason="kpstra[bodies] is not installed")
    person, body = MeshIdentity.sample(seed, 2.0), load_body()
    rest, points = body.rest(person.phenotypes), walk(person, Sequence(phase=1.0), 9)
    turns = bone_turns(points, body, rest)
    assert turns.shape == (9, 52, 3, 3)
    for side, name in (("left", "Left"), ("right", "Right")):
        for (bone, following), (start, end) in LIMBS.items():
            own = unit(body.head(rest, name + following) - body.head(rest, name + bone))
            posed = turns[:, body.bones.index(name + bone)] @ own
            wanted = unit((points[f"{side}_{end}"] - points[f"{side}_{start}"]) @ TO_RIG)
            np.testing.assert_allclose(posed, wanted, atol=1e-6)
    left, right = (body.bones.index(f"{side}HandThumb2") for side in ("Left", "Right"))
    for finger, hand in ((left, "LeftHand"), (right, "RightHand")):  # what has no rotation of its own follows
        np.testing.assert_array_equal(turns[:, finger], turns[:, body.bones.index(hand)])
