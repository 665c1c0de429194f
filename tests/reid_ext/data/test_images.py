"""Images are read as the host reads them, or refused by name."""

import numpy as np
import pytest
from PIL import Image

from plugins.errors import KpstraError
from reid_ext.data.images import read_image
from reid_ext.host import torchreid


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_images_become_rgb_as_the_host_s_do(mode, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    path = str(tmp_path / "x.tif")
    Image.fromarray(pixels).convert(mode).save(path)
    host = torchreid.utils.tools.read_image(path)
    assert np.array_equal(read_image(path), host) and host.mode == "RGB"


def test_images_of_16_bits_are_refused(tmp_path):
    """PIL would make them white."""
    path = str(tmp_path / "x.png")
    Image.fromarray(np.full((9, 5), 9000, np.uint16)).save(path)
    with pytest.raises(KpstraError, match=r"x.png: not a readable image \(mode I;16: more than 8 bits a channel"):
        read_image(path)
