"""The stick figure: where the joints of a walking person are, in three dimensions."""

from __future__ import annotations

import numpy as np

from .identity import Identity
from .sequence import FPS, Sequence

Points = dict[str, np.ndarray]  # name -> (T, 3) forward, left, up, in metres; the feet touch up = 0
SIDES = {"left": 1.0, "right": -1.0}


def gait_phase(identity: Identity, sequence: Sequence, frames: int) -> np.ndarray:
    """Return the left leg's phase (T,) in radians: 0 where it passes the right one on its way forward."""
    time = np.arange(frames) / FPS
    part = np.arange(frames) / max(frames - 1, 1)
    return sequence.phase + 2 * np.pi * identity.cadence * sequence.speed * time * (1 + sequence.drift * part / 2)


def walk(identity: Identity, sequence: Sequence, frames: int) -> Points:
    """Return all points of the figure, walking in place.

    Names: ``left_`` and ``right_`` hip, knee, ankle, heel, toe, shoulder, elbow, wrist, hand, eye, ear; ``pelvis``,
    ``chest`` (between the shoulders), ``neck`` (the skull's base), ``head`` (its centre), ``nose``.
    """
    phase = gait_phase(identity, sequence, frames)
    h, effort = identity.height, sequence.speed**0.5
    points: Points = {}
    sway = -identity.sway * h * np.cos(phase)  # to the left while the left foot stands
    for side, sign in SIDES.items():
        own = phase if sign > 0 else phase + np.pi + identity.asymmetry
        turn = identity.pelvis_turn * np.sin(phase)
        hip = sign * identity.hips * h
        points[f"{side}_hip"] = vector(hip * np.sin(turn), sway + hip * np.cos(turn), -sign * 0.006 * h * np.cos(phase))
        _leg(points, side, sign, own, identity, effort)
    soles = np.stack([points[f"{side}_{part}"][:, 2] for side in SIDES for part in ("heel", "toe")])
    floor = soles.min(0) - 0.012 * h
    rise = floor.mean() + identity.bounce * (floor - floor.mean())  # stiff and springy legs
    for point in points.values():
        point[:, 2] -= rise
    points["pelvis"] = (points["left_hip"] + points["right_hip"]) / 2
    _trunk(points, phase, identity)
    for side, sign in SIDES.items():
        _arm(points, side, sign, phase if sign > 0 else phase + np.pi, identity, effort)
    return points


def vector(forward: np.ndarray, left: np.ndarray | float, up: np.ndarray | float) -> np.ndarray:
    """Stack three coordinates as (T, 3)."""
    return np.stack(np.broadcast_arrays(forward, left, up), -1).astype(float)


def _leg(points: Points, side: str, sign: float, phase: np.ndarray, identity: Identity, effort: float) -> None:
    h, hip = identity.height, points[f"{side}_hip"]
    amplitude = identity.stride * effort
    thigh = amplitude * (np.sin(phase) + 0.25)  # hips bend further than they stretch
    shank = thigh - 0.08 - identity.knee_lift * np.cos(phase + 0.4).clip(0) ** 1.5
    pitch = 0.35 * np.sin(phase).clip(0) ** 2 - 0.9 * (-np.sin(phase - 0.2)).clip(0) ** 3  # heel strike, toe-off
    inwards = sign * identity.step_width * h - hip[:, 1].mean()
    knee = hip + identity.thigh * h * vector(np.sin(thigh), 0, -np.cos(thigh)) + vector(0 * phase, 0.4 * inwards, 0)
    ankle = knee + identity.shank * h * vector(np.sin(shank), 0, -np.cos(shank)) + vector(0 * phase, 0.6 * inwards, 0)
    out, foot, sole = identity.toe_out, identity.foot * h, -0.032 * h
    for name, along in (("heel", -0.2 * foot), ("toe", 0.66 * foot)):
        forward = along * np.cos(pitch) - sole * np.sin(pitch)
        points[f"{side}_{name}"] = ankle + vector(
            forward * np.cos(out), sign * forward * np.sin(out), along * np.sin(pitch) + sole * np.cos(pitch)
        )
    points[f"{side}_knee"], points[f"{side}_ankle"] = knee, ankle


def _trunk(points: Points, phase: np.ndarray, identity: Identity) -> None:
    h = identity.height
    lean = identity.lean + 0.02 * np.sin(2 * phase + 0.5)
    head = lean + identity.head_lean
    chest = points["pelvis"] + identity.torso * h * vector(np.sin(lean), 0, np.cos(lean))
    chest[:, 1] *= 0.5  # the head sways less than the hips
    turn = -identity.shoulder_turn * np.sin(phase)
    for side, sign in SIDES.items():
        wide = sign * identity.shoulders * h
        points[f"{side}_shoulder"] = chest + vector(
            wide * np.sin(turn), wide * np.cos(turn), sign * 0.005 * h * np.cos(phase)
        )
    axis, face = vector(np.sin(head), 0, np.cos(head)), vector(np.cos(head / 2), 0, -np.sin(head / 2))
    skull, left = identity.head * h, np.array([0.0, 1.0, 0.0])
    points["chest"] = chest
    points["neck"] = chest + (identity.neck + 0.018) * h * axis
    points["head"] = points["neck"] + 0.95 * skull * axis
    points["nose"] = points["head"] + 0.80 * skull * face - 0.15 * skull * axis
    for side, sign in SIDES.items():
        points[f"{side}_eye"] = points["head"] + skull * (0.68 * face + sign * 0.26 * left + 0.12 * axis)
        points[f"{side}_ear"] = points["head"] + skull * (0.02 * face + sign * 0.66 * left)


def _arm(points: Points, side: str, sign: float, phase: np.ndarray, identity: Identity, effort: float) -> None:
    h, swing = identity.height, identity.arm_swing * effort
    upper = 0.9 * identity.lean - 0.05 - swing * np.sin(phase)  # against the leg of the same side
    lower = upper + identity.elbow + 0.5 * swing * (-np.sin(phase)).clip(0)
    wide = identity.arm_spread

    def bone(angle: np.ndarray, spread: float) -> np.ndarray:
        return vector(np.sin(angle), sign * np.sin(spread), -np.cos(angle) * np.cos(spread))

    points[f"{side}_elbow"] = points[f"{side}_shoulder"] + identity.upper_arm * h * bone(upper, wide)
    points[f"{side}_wrist"] = points[f"{side}_elbow"] + identity.forearm * h * bone(lower, 0.3 * wide)
    points[f"{side}_hand"] = points[f"{side}_wrist"] + 0.055 * h * bone(lower, 0.0)
