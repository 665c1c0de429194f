"""What is looked at before a run: stray files, the level of the root, and a sample of the people."""

import pickle
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from gait_data import write_data

from opengait_ext.data.body import count_body
from opengait_ext.data.checks import check_dataset, check_moves, check_sample, check_transforms
from opengait_ext.data.inspection import sequences
from plugins.errors import KpstraError


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    root = write_data(tmp_path_factory.mktemp("gait"), frames=2) / "data"
    return [([silhouettes, keypoints], name) for name, silhouettes, keypoints in sequences(root)]


def changed(people, silhouettes=lambda s: s, keypoints=lambda k: k):
    return [([silhouettes(s), keypoints(k)], name) for (s, k), name in people]


def test_nothing_is_said_of_people_as_they_should_be(people):
    assert check_sample(people, "root") == []
    assert check_sample(changed(people, lambda s: s[:, :, :, None]), "root") == []  # no silhouettes: other modalities
    assert check_sample([([s], name) for (s, _), name in people], "root") == []


@pytest.mark.parametrize(
    ("keypoints", "cause"),
    [
        (lambda k: k / [64, 64, 1], "they seem to be shares of the image, from 0 to 1"),
        (lambda k: k[..., [1, 0, 2]], "x and y seem to be swapped"),
        (lambda k: k[:, ::-1], "their order seems to be reversed"),
        (lambda k: k / [64, 64, 3], "they seem to be shares of the image, from 0 to 1"),
        (lambda k: k * [1, 1, 0], "write 1 as the score of every joint"),
        (lambda k: k * [3, 3, 1], "different pixel frames"),
    ],
)
def test_joints_that_lie_wrong_end_the_run(people, keypoints, cause):
    with pytest.raises(
        KpstraError, match=r"^data_cfg.dataset_root: root: .*`opengait-ext doctor --data root`"
    ) as caught:
        check_sample(changed(people, keypoints=keypoints), "root")
    assert cause in str(caught.value)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, bool])
def test_silhouettes_of_0_and_1_end_the_run(people, kind):
    with pytest.raises(KpstraError, match="the greatest value is 1, expected 255"):
        check_sample(changed(people, lambda s: (s // 255).astype(kind)), "root")


@pytest.mark.parametrize("kind", [np.int64, np.float32, bool])
def test_joints_are_looked_at_beside_silhouettes_of_any_numbers(people, kind):
    """As beside those of 8 bits, with the same counts."""
    counts = [Counter(), Counter()]
    for (silhouettes, keypoints), _ in people:
        count_body(silhouettes, keypoints, counts[0])
        count_body(silhouettes.astype(kind), keypoints, counts[1])
    assert counts[0] == counts[1] and counts[0]["joints on body"]
    with pytest.raises(KpstraError, match="order seems to be reversed"):
        check_sample(changed(people, lambda s: s.astype(kind), lambda k: k[:, ::-1]), "root")


def test_arrays_of_joints_are_no_silhouettes(people):
    assert check_sample([([keypoints], name) for (_, keypoints), name in people], "root") == []


def test_inexact_joints_are_a_warning(people):
    rng = np.random.default_rng(0)
    (said,) = check_sample(changed(people, keypoints=lambda k: np.add(k, [*rng.normal(0, 9, 2), 0])), "root")
    assert "joints on the body: " in said


def test_low_scores_are_a_warning(people):
    (said,) = check_sample(changed(people, keypoints=lambda k: k * [1, 1, 0.4]), "root")
    assert said.startswith("data_cfg.dataset_root: root: no joint has a score of 0.5 or more in ")


def settings(root):
    return {
        "data_cfg": {"dataset_root": str(root), "dataset_partition": "p.json"},
        "trainer_cfg": {"transform": [{}, {}]},
    }


class DataSet(SimpleNamespace):
    def __len__(self):
        return len(self.seqs_info)


def test_other_files_among_the_sequences():
    data = DataSet(seqs_info=[["1", "nm", "0", ["r/1/nm/0/.DS_Store", "r/1/nm/0/0_sil.pkl"]]])
    with pytest.raises(KpstraError, match=r"r/1/nm/0/\.DS_Store: no sequence file; remove it"):
        check_dataset(data, settings("r"), True)


def listed(tmp_path, *files):
    """A data set of sequences that hold these files; the host's records have the data set's name before the id."""
    records = []
    for number, names in enumerate(files, 1):
        folder = tmp_path / "pkl" / f"{number:04d}" / "nm-01" / "090"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(b"")
        records.append([f"pkl-{number:04d}", "nm-01", "090", [str(folder / name) for name in names]])
    return DataSet(seqs_info=records)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["0_sil.pkl"], "sequences have 2 files, 0003/nm-01/090 has 1: no 1_keypoints.pkl; run"),
        (["0_sil.pkl", "1_keypoints.pkl", "2_x.pkl"], "2 files, 0003/nm-01/090 has 3: besides 2_x.pkl; run"),
        (["a.pkl"], "sequences have 2 files, 0003/nm-01/090 has 1; run `opengait-ext prepare` again"),
    ],
)
def test_a_sequence_of_more_or_fewer_files(tmp_path, files, said):
    data = listed(tmp_path, *[["0_sil.pkl", "1_keypoints.pkl"]] * 2, files)
    with pytest.raises(KpstraError) as caught:
        check_dataset(data, settings("root"), True)
    assert said in str(caught.value)


def test_silhouettes_alone_for_a_model_with_joints(tmp_path):
    data = listed(tmp_path, ["0_sil.pkl"], ["0_sil.pkl"])
    with pytest.raises(
        KpstraError, match=r"root: no 1_keypoints.pkl, for example in 0001/nm-01/090: run .*--poses; tr"
    ):
        check_dataset(data, settings("root"), True)
    unused = listed(tmp_path / "unused", ["0_sil.pkl", "1_keypoints.pkl"])
    unused.seqs_info[0][-1].pop()  # as data_cfg.data_in_use: [true, false] does
    with pytest.raises(KpstraError, match=r"trainer_cfg.transform: 2 transforms for data of 1 modalities"):
        check_dataset(unused, settings("root"), True)


def test_the_level_of_the_root(tmp_path):
    """One level too deep, too high, or people that the partition does not name."""
    folder = tmp_path / "root" / "0001" / "nm" / "000"
    folder.mkdir(parents=True)
    (folder / "0_sil.pkl").write_bytes(pickle.dumps(np.zeros(3)))
    empty = DataSet(seqs_info=[])
    for root, said in (
        (tmp_path, "wrong layout, for example root/0001/nm/000/0_sil.pkl; .*give a folder deeper"),
        (tmp_path / "root/0001", "wrong layout, for example nm/000/0_sil.pkl; .*give the folder that holds the ids"),
        (tmp_path / "root", "no sequence of an identity in TRAIN_SET of p.json; there the first is 0001"),
    ):
        with pytest.raises(KpstraError, match=f"data_cfg.dataset_root.*{said}"):
            check_dataset(empty, settings(root), True)


ROTATE = [{"type": "Compose", "trf_cfg": [{"type": "RandomRotate"}, {"type": "BaseSilTransform"}]}, {"type": "No"}]


@pytest.mark.parametrize(
    ("model", "refused", "told"),
    [
        ({"model": "SwinGait2DKPRPE"}, True, False),  # its sections may be left out
        ({"model": "SwinGait2DHeatmaps", "heatmaps": {}}, True, False),
        ({"model": "SwinGait2D"}, False, False),  # looks at silhouettes alone, whatever the data holds
        ({"model": "Mine", "kprpe": {}}, True, False),
        ({"model": "Mine"}, False, True),  # by its data
    ],
)
def test_silhouettes_do_not_move_without_their_joints(people, model, refused, told):
    (pair, _), plain = people[0], {"transform": [{"type": "No"}, {"type": "No"}]}
    cfgs = {"model_cfg": model, "trainer_cfg": {"transform": ROTATE}, "evaluator_cfg": plain}
    if refused:
        with pytest.raises(
            KpstraError, match=r"^trainer_cfg.transform.0: RandomRotate would move silhouettes and leave"
        ):
            check_transforms(cfgs)
    else:
        check_transforms(cfgs)
    said = check_moves(pair, cfgs, True)
    assert [line.startswith("trainer_cfg.transform.0: RandomRotate moves silhouettes") for line in said] == [
        True
    ] * told
    assert check_moves(pair, cfgs, False) == check_moves([pair[0], pair[0]], cfgs, True) == []
    check_transforms({**cfgs, "trainer_cfg": plain})
