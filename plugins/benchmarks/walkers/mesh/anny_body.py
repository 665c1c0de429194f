"""The package anny's model of people: shape, posing, joints, and which face of the mesh wears what."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from ....common.reasons import reason_of
from ....errors import KpstraError
from ..mesh_identity import Phenotypes

PREFIX = "mixamorig:"  # of the rig's bone names
WORN = {  # first word of a bone's name without its side: colour of what it moves, as Outfit.colour knows it
    "Hips": "lower",
    "UpLeg": "lower",
    "Leg": "calf",
    "Foot": "shoes",
    "ToeBase": "shoes",
    "Spine": "upper",
    "Shoulder": "upper",
    "Arm": "upper",
    "ForeArm": "sleeve",
    "Hand": "skin",
    "Neck": "skin",
    "Head": "skin",
}
BARE = ("skin", "shoes")  # what thick clothes leave as it is


class Rest(NamedTuple):
    """A person in the model's own pose; x left, y backwards, z up, metres."""

    vertices: np.ndarray  # (V, 3)
    poses: np.ndarray  # (J, 4, 4) of the bones
    joints: dict[str, np.ndarray]  # (3,): COCO's, toes and heels


class AnnyBody:
    """anny with a mixamo rig; its bones without the prefix. Arrays of NumPy go in and come out."""

    def __init__(self, anny: Any) -> None:
        self._model = anny.Anny(
            rig="mixamo", phenotypes="all", phenotype_blendshapes="original", skinning_method="lbs"
        ).float()
        self._joints = anny.KeypointsRegressor.coco(self._model)
        self.bones = [label.removeprefix(PREFIX) for label in self._model.bone_labels]
        self.parents = list(self._model.bone_parents)
        self.faces = self._model.faces.numpy()  # F, 3
        owner = self._model.dense_vertex_bone_weights.argmax(1).numpy()  # V
        colours = [_colour(bone) for bone in self.bones]
        self.colours = tuple(sorted({*colours, "hair"}))
        worn = np.array([self.colours.index(colour) for colour in colours])[owner]
        worn[_hair(self._model.template_vertices.numpy(), owner == self.bones.index("Head"))] = self.colours.index(
            "hair"
        )
        self.clothed = ~np.isin(worn, [self.colours.index(colour) for colour in BARE])  # V
        self.worn = np.median(worn[self.faces], axis=1).astype(int)  # F, indices of colours
        self.rest = functools.lru_cache(4)(self._rest)  # sequences of a person come one after another

    def _rest(self, phenotypes: Phenotypes) -> Rest:
        import torch

        with _one_thread(), torch.no_grad():
            output = self._model(phenotype_kwargs=asdict(phenotypes))
            joints = self._joints({"vertices": output["rest_vertices"]})[0].numpy()
        named = dict(zip(self._joints.labels, joints, strict=True))
        return Rest(output["rest_vertices"][0].numpy(), output["rest_bone_poses"][0].numpy(), named)

    def head(self, rest: Rest, bone: str) -> np.ndarray:
        """Return where a bone begins at rest, (3,)."""
        return rest.poses[self.bones.index(bone), :3, 3]

    def pose(self, rest: Rest, turns: np.ndarray, thicker: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Turn bones out of the rest pose, the hips' place kept.

        Args:
            turns: (T, J, 3, 3), each bone's rotation from its rest pose, in the model's axes.
            thicker: metres by which clothes stand off the skin.

        Returns:
            Vertices (T, V, 3), and the joints by name, (T, 3); clothes do not move joints.
        """
        import torch

        poses = torch.from_numpy(rest.poses)[None]
        turned = torch.zeros(*turns.shape[:2], 4, 4)
        turned[..., :3, :3] = torch.from_numpy(turns).float() @ poses[..., :3, :3]
        turned[..., 3], turned[..., 3, 3] = poses[..., 3], 1.0
        with _one_thread(), torch.no_grad():
            transforms, _ = self._model.get_bone_transforms(turned, poses, "world-orient")
            skin = torch.from_numpy(rest.vertices).expand(len(turns), -1, -1)
            vertices = self._model.get_skinned_vertices(skin, transforms)
            joints = self._joints({"vertices": vertices}).numpy()
            if thicker:
                cloth = torch.from_numpy(rest.vertices + thicker * self.clothed[:, None] * self._normals(rest))
                vertices = self._model.get_skinned_vertices(cloth.float().expand_as(skin), transforms)
        return vertices.numpy(), dict(zip(self._joints.labels, joints.transpose(1, 0, 2), strict=True))

    def _normals(self, rest: Rest) -> np.ndarray:
        """Return the vertices' outward normals at rest (V, 3)."""
        a, b, c = rest.vertices[self.faces].transpose(1, 0, 2)
        normals = np.zeros_like(rest.vertices)
        for corner in self.faces.T:
            np.add.at(normals, corner, np.cross(b - a, c - a))
        return normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-9)


@functools.cache
def load_body() -> AnnyBody:
    """Return the model, loaded once a process.

    The first use on a machine builds it, which takes a minute or more, and puts it into anny's cache.

    Raises:
        KpstraError: a package is missing, or anny cannot be loaded.
    """
    try:
        import anny
        from anny.paths import get_anny_cache_path
    except ImportError as error:
        raise KpstraError(f"--bodies anny: {error}: pip install 'kpstra[bodies]'") from error
    cache = get_anny_cache_path()
    if not any(cache.glob("v*/build_model_data_*")):
        print(f"anny: the first use builds its model in {cache}, a minute or more", file=sys.stderr, flush=True)
    try:
        with _one_thread():
            return AnnyBody(anny)
    except Exception as error:
        raise KpstraError(
            f"--bodies anny: {reason_of(error)}; if its cache is damaged, remove {cache}; ANNY_CACHE_DIR names another"
        ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Bodies are small, and processes that are forked must not inherit a pool of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _colour(bone: str) -> str:
    name = bone.removeprefix("Left").removeprefix("Right").rstrip("0123456789")
    return WORN["Hand" if name.startswith("Hand") else name]


def _hair(vertices: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Return which vertices (V,) are at the top or the back of the head."""
    low, high = vertices[head].min(0), vertices[head].max(0)
    share = (vertices - low) / (high - low)  # y backwards, z up
    return head & (share[:, 1] > 0.45) & (share[:, 2] > 0.35) | head & (share[:, 2] > 0.85)
