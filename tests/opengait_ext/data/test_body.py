"""Joints on the body, upright, left and right: counted as a naive loop counts, judged, and no false alarm."""

from collections import Counter

import cv2
import numpy as np
import pytest
from walking_body import FLIPPED, MISTAKES, frames

from opengait_ext.data.body import count_body, judge, judge_scores


@pytest.fixture(scope="module")
def people():
    return frames(250)


def counted(pairs, change=lambda joints, image: joints):
    counts = Counter()
    for image, joints in pairs:
        count_body(image[None], change(joints, image)[None], counts)
    return counts


def wrong(counts):
    return [verdict for verdict in judge(counts) if not verdict.well]


def test_counts_equal_a_naive_loop(people):
    """Frame by frame and joint by joint."""
    on_body = confident = upright = in_order = 0
    for image, joints in people:
        height, width = image.shape
        reach = round(3 / 64 * height)
        for x, y, score in joints:
            if score >= 0.5:
                confident += 1
                x, y = round(x), round(y)
                if 0 <= x < width and 0 <= y < height:
                    on_body += image[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].any()
        means = []
        for part in (range(5), (11, 12), (15, 16)):
            ys = [joints[joint, 1] for joint in part if joints[joint, 2] >= 0.5]
            means.append(np.mean(ys) if ys else None)
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        stands = np.ptp(columns) + 1 <= 0.75 * (np.ptp(rows) + 1)
        sure = joints[joints[:, 2] >= 0.5, 1]
        if None not in means and stands and np.ptp(sure) >= height / 4:
            upright += 1
            in_order += means[0] < means[1] < means[2]
    counts = counted(people)
    assert (counts["joints confident"], counts["joints on body"]) == (confident, on_body)
    assert (counts["frames upright"], counts["frames head above hips above ankles"]) == (upright, in_order)
    assert confident > 3000 and upright > 200


def test_joints_near_the_body_count():
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, :, 20:40] = 255
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, :6] = (30, 30, 0.9), (42, 5, 0.9), (44, 5, 0.9), (30, -2, 0.9), (30, 70, 0.9), (60, 5, 0.4)
    counts = Counter()
    count_body(image, joints, counts)
    assert (counts["joints confident"], counts["joints on body"]) == (5, 2)
    for on_body, well, stops in ((5, True, False), (4, False, False), (3, False, False), (2, False, True)):
        verdict = next(judge({**counts, "joints on body": on_body}))
        assert (verdict.well, verdict.stops) == (well, stops)
        assert f"{on_body / 5:.1%} of 5" in verdict.what
    assert wrong(Counter()) == []


def test_no_alarm_on_people(people):
    """The shipped pedestrians, also seen in a mirror (left and right change with the view), lying, and both in one."""
    assert wrong(counted(people)) == []
    mirrored = [(image[:, ::-1], joints[FLIPPED] * [-1, 1, 1] + [image.shape[1] - 1, 0, 0]) for image, joints in people]
    assert wrong(counted(people + mirrored)) == []
    lying = [(np.ascontiguousarray(image.T), joints[:, [1, 0, 2]]) for image, joints in people]
    assert counted(lying)["frames upright"] == 0 and wrong(counted(lying)) == []


def test_low_scores_are_told_and_places_judged_as_those_of_high_ones(people):
    """The highest score of a frame takes the place of 1: a factor to all scores does not change what is counted."""
    scaled = [(image, joints / [1, 1, joints[:, 2].max() / 0.9]) for image, joints in people]
    high, low = counted(scaled), counted(scaled, lambda joints, _: joints * [1, 1, 0.4 / 0.9])
    confident = sum(int((joints[:, 2] * 0.4 / 0.9 >= 0.2).sum()) for _, joints in scaled)
    assert low["joints confident"] == 0 and low["low scores: joints confident"] == confident > 3000
    assert "frames" not in low  # what prepare counts itself
    (verdict,) = wrong(low)
    assert f"no joint has a score of 0.5 or more in {len(people)} of {len(people)} frames" in verdict.what
    assert not verdict.stops
    shown = [verdict.what for verdict in judge(low) if verdict.well]
    assert len(shown) == 2 and "the best-scored joints of these on the body: 9" in shown[0]
    assert low["low scores: frames upright"] == pytest.approx(high["frames upright"], abs=5)
    one_in_ten = counted(scaled[10:]) + counted(scaled[:10], lambda joints, _: joints * [1, 1, 0.4])
    assert wrong(one_in_ten) == []


def test_random_places_with_low_scores_stop(people):
    rng = np.random.default_rng(0)
    noise = counted(people, lambda _, image: np.c_[rng.uniform(0, 1, (17, 2)) * image.shape[::-1], np.full(17, 0.45)])
    assert any(verdict.stops for verdict in wrong(noise))


def test_frames_without_a_score():
    image, joints = np.full((4, 64, 64), 255, np.uint8), np.full((4, 17, 3), 32.0)
    for without, told, stops in ((0, False, False), (1, True, False), (4, True, True)):
        joints[:without, :, 2] = np.array([0, -1, np.nan, 0])[:without, None]
        counts = Counter()
        count_body(image, joints, counts)
        verdicts = list(judge_scores(counts))
        assert [f"no joint has a score above 0 in {without} of 4 frames"] * told == [v.what for v in verdicts]
        assert all(verdict.stops == stops for verdict in verdicts)
    assert wrong(counts) == [] and list(judge_scores(Counter())) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_noticed(people, mistake):
    assert wrong(counted(people, MISTAKES[mistake][0]))


def test_a_pair_whose_sides_are_swapped(people):
    """Hips alone, ears alone: they contradict the shoulders. Scores in percent are told as well."""
    for name, left in (("ears", 3), ("hips", 11)):
        order = list(range(17))
        order[left], order[left + 1] = left + 1, left
        (verdict,) = wrong(counted(people, lambda joints, _, order=order: joints[order]))
        assert f"left and right {name} lie as the shoulders do" in verdict.what and not verdict.stops
    (verdict,) = wrong(counted(people, lambda joints, _: joints * [1, 1, 100]))
    assert "scores above 1.5" in verdict.what


def test_all_sides_swapped_shows_in_the_scores_of_faces(people):
    """A face that is seen better where the left shoulder is on the left is one of a person with the sides swapped."""

    def seen(joints, _):
        facing = joints[5, 0] > joints[6, 0]
        return np.where((np.arange(17) < 3)[:, None], [1, 1, 0.9 if facing else 0.3], 1) * joints

    assert wrong(counted(people, seen)) == []
    (verdict,) = wrong(counted(people, lambda joints, image: seen(joints, image)[FLIPPED]))
    assert "left and right seem to be swapped" in verdict.what


def test_many_frames_are_thinned():
    """Of a long sequence at most 16 frames are looked at; a sequence of one frame is."""
    image = cv2.circle(np.zeros((64, 64), np.uint8), (32, 32), 20, 255, -1)
    for length in (1, 15, 16, 100, 1000):
        counts = Counter()
        count_body(np.stack([image] * length), np.full((length, 17, 3), 32.0), counts)
        assert 0 < counts["joints confident"] <= 17 * 16
