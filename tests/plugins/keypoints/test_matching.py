"""Names in keypoint files and the images that they are of."""

import pytest

from plugins.errors import KpstraError
from plugins.keypoints.matching import ImageIndex

IMAGES = ["/d/set/occluded/001/001_01.tif", "/d/set/whole/001/001_01.tif", "/d/set/query/a.b.jpg"]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("query/a.b.jpg", 2),
        ("a.b.jpg", 2),
        ("a.b", 2),
        ("set/query/a.b", 2),
        ("whole/001/001_01.tif", 1),
        ("occluded/001/001_01", 0),
        ("a", None),
        ("ry/a.b.jpg", None),
        ("gallery/a.b.jpg", None),
        ("/elsewhere/set/query/a.b.jpg", None),
    ],
)
def test_a_name_is_the_end_of_a_path(name, image):
    assert ImageIndex(IMAGES).find(name) == (None if image is None else IMAGES[image])


def test_keypoints_of_one_folder_are_not_those_of_another():
    assert ImageIndex(IMAGES[1:]).find("occluded/001/001_01.tif") is None


def test_a_name_of_several_images_is_refused():
    with pytest.raises(KpstraError, match=r"'001_01\.tif': 2 images have this name: .*occluded.*, .*whole.*folder"):
        ImageIndex(IMAGES).find("001_01.tif")


def test_the_same_image_twice_is_one():
    assert ImageIndex([IMAGES[2], IMAGES[2]]).find("a.b") == IMAGES[2]
