"""Mode maps against the modules they come from, the pictures, and mistakes."""

import numpy as np
import pytest
import torch
from PIL import Image

import reid_ext
from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.pictures.mode_maps import collect_maps, find_block, high_activation_share, select_modes

reid_ext.register()


def build(name="mobilenetv2_x1_0_stra"):
    return torchreid.models.build_model(name, 4, pretrained=False, use_gpu=False)


@pytest.fixture
def crops(market_root):
    return market_root / "market1501" / "Market-1501-v15.09.15" / "query"


def test_maps_are_the_modules_own_values():
    model, images = build("resnet50_stra").eval(), torch.randn(2, 3, 64, 32)
    maps = collect_maps(model, images, "layer4.1")
    with torch.no_grad():
        x = model.layer3(model.layer2(model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(images)))))))
        x = model.layer4[0](x)[0]
        block = model.layer4[1]
        s = block.conv2.local(block.relu(block.bn1(block.conv1(x))))
        y, _ = block.conv2.mode(s)
        modes = block.conv2.mode.modes(s)
    assert maps.local.shape == (2, 8, 4, 2)
    np.testing.assert_allclose(maps.local[1, 3], s[1, 192:256].norm(dim=0), rtol=1e-5)
    np.testing.assert_allclose(maps.output[0, 7], y[0, 448:].norm(dim=0), rtol=1e-5)
    np.testing.assert_allclose(maps.mask.sum(axis=(2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(maps.coefficient[1, 2].ravel(), modes.coefficients[1, 2, 0], rtol=1e-5)


def test_collecting_leaves_the_network_as_it_was():
    model = build().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    collect_maps(model, torch.randn(2, 3, 64, 32))
    assert model.training and not model.conv7[1].stra.mode._forward_hooks
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_shown_modes_go_down_the_body():
    mask = np.full((5, 8, 4), 1e-6)
    for mode, (row, column) in enumerate([(7, 2), (0, 0), (1, 2), (4, 1), (4, 3)]):
        mask[mode, row, column] = 1
    assert select_modes(mask, 3) == [2, 3, 0]
    assert len(set(select_modes(mask, 9))) == 5


def test_share_of_high_activations_counts_places():
    coefficient = np.zeros((4, 1, 2, 5))
    coefficient[:3, 0, 0, 1] = coefficient[3, 0, 1, 4] = 1
    share = high_activation_share(coefficient)
    assert share[0, 0, 1] == 0.75 and share[0, 1, 4] == 0.25 and share.sum() == 1


def test_the_command_draws_all_pictures(crops, tmp_path, capsys):
    weights = tmp_path / "weights.pth"
    torch.save(build().state_dict(), weights)
    arguments = ["--model", "mobilenetv2_x1_0_stra", "--weights", str(weights), "--images", str(crops)]
    arguments += ["--output", str(tmp_path / "out"), "--height", "64", "--width", "32", "--rows", "2"]
    arguments += ["--block", "conv8.0"]
    assert main(["pictures", *arguments]) == 0
    printed = capsys.readouterr().out
    for name in ("modes.png", "parts.png", "distribution.png"):
        assert f"Picture: {tmp_path / 'out' / name}" in printed
        picture = np.asarray(Image.open(tmp_path / "out" / name).convert("RGB"))
        assert picture.shape[0] > 200 and picture.std() > 20
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["distribution.png", "modes.png", "parts.png"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "resnet50_strra"}, "did you mean 'resnet50_stra'"),
        ({"--model": "resnet50_nonlocal"}, "has no StRA block"),
        ({"--model": "resnet50_stra_local"}, "has no mode attention"),
        ({"--weights": "absent.pth"}, "absent.pth: no such checkpoint file"),
        ({"--images": "absent"}, "--images: absent: no such file or folder"),
        ({"--images": "EMPTY"}, "in this folder"),
        ({"--images": "BROKEN"}, "not a readable image"),
        ({"--block": "conv7.9"}, "'conv7.9' is not one of conv7.1, conv7.2, conv8.0"),
        ({"--modes": "0"}, "--modes: 0: expected 1 or more"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(crops, tmp_path, capsys, change, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    torch.save(build().state_dict(), tmp_path / "w.pth")
    options = {
        "--model": "mobilenetv2_x1_0_stra",
        "--weights": str(tmp_path / "w.pth"),
        "--images": str(crops),
        "--output": str(tmp_path / "out"),
        **change,
    }
    places = {"EMPTY": tmp_path / "empty", "BROKEN": tmp_path / "broken.jpg"}
    arguments = [str(places.get(part, part)) for option in options.items() for part in option]
    assert main(["pictures", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors and "Traceback" not in errors and not (tmp_path / "out").exists()


def test_a_block_is_found_by_name_or_first():
    model = build("resnet50_stra")
    assert find_block(model) is model.layer4[0].conv2
    with pytest.raises(KpstraError, match=r"did you mean"):
        find_block(model, "layer4.7")
