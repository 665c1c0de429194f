"""Mode maps against the modules they come from, the pictures, and mistakes."""

import numpy as np
import pytest
import torch
from PIL import Image

import reid_ext
from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.host import torchreid
from reid_ext.models import backbones
from reid_ext.models.options import building
from reid_ext.pictures import mode_pictures
from reid_ext.pictures.centres import find_centres
from reid_ext.pictures.mode_maps import collect_maps, find_block, high_activation_share, select_modes
from reid_ext.pictures.mode_pictures import IMAGENET, Normalisation, find_images, read_images

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


@pytest.fixture
def modal(tmp_path, monkeypatch):
    """A configuration of a tiny network whose keypoints are modes, and weights of it."""
    monkeypatch.setitem(backbones.BACKBONES, "vit_mini_patch8", ("vit_tiny_patch16_224", {"patch_size": 8, "depth": 1}))
    with building((64, 32), {"confidence": False}, {"groups": 4}):
        torch.save(build("vit_mini_patch8_modes").state_dict(), tmp_path / "weights.pth")
    (tmp_path / "modes.yaml").write_text(
        "model: {name: vit_mini_patch8_modes}\ndata: {height: 64, width: 32}\n"
        "stra: {groups: 4}\nkprpe: {confidence: false}\n"
    )
    return ["pictures", "--config-file", str(tmp_path / "modes.yaml"), "--weights", str(tmp_path / "weights.pth")]


def test_centres_of_modes_by_a_configuration(modal, crops, tmp_path, capsys):
    assert main([*modal, "--images", str(crops), "--output", str(tmp_path / "out"), "--rows", "2"]) == 0
    assert capsys.readouterr().out == f"Picture: {tmp_path / 'out' / 'centres.png'}\n"
    assert np.asarray(Image.open(tmp_path / "out" / "centres.png").convert("RGB")).std() > 20
    assert main([*modal, "--images", str(crops), "--output", str(tmp_path / "o"), "--block", "layer4.0"]) == 2
    assert "--block: layer4.0: vit_mini_patch8_modes has one set of modes" in capsys.readouterr().err


def test_weights_that_are_not_finite_give_no_picture(modal, crops, tmp_path, capsys):
    weights = torch.load(tmp_path / "weights.pth")
    broken = {name: value * float("nan") if value.is_floating_point() else value for name, value in weights.items()}
    torch.save(broken, tmp_path / "weights.pth")
    assert main([*modal, "--images", str(crops), "--output", str(tmp_path / "out")]) == 2
    assert "not finite" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_centres_are_those_that_the_attention_sees():
    with building((64, 32), stra={"groups": 4}):
        model = build("vit_mini_patch8_modes").train()
    images, seen = torch.randn(2, 3, 64, 32), []
    model.modes.register_forward_hook(lambda *args: seen.append(args[-1]))
    masks, parts = find_centres(model, images)
    assert model.training
    model.eval()(images)
    torch.testing.assert_close(parts.points, seen[0].points)
    assert masks.shape == (2, 4, 8, 4)
    columns = (torch.arange(4) + 0.5) / 4
    expected = (torch.from_numpy(masks).sum(2) * columns).sum(2)
    torch.testing.assert_close(parts.points[..., 0], expected)


def test_a_network_for_faces_gets_its_own_images(crops, tmp_path, monkeypatch):
    torch.save(build("fer_resnet_stra").state_dict(), tmp_path / "w.pth")
    given = ["--model", "fer_resnet_stra", "--weights", str(tmp_path / "w.pth"), "--images", str(crops)]
    seen, batches = [], mode_pictures.batches
    monkeypatch.setattr(mode_pictures, "batches", lambda paths, *of, **_: seen.append(of) or batches(paths, *of))
    assert main(["pictures", *given, "--output", str(tmp_path / "out"), "--rows", "1"]) == 0
    assert [of[:3] for of in seen] == [(44, 44, Normalisation([0.0] * 3, [1.0] * 3))]
    assert (tmp_path / "out" / "modes.png").is_file()


def test_images_are_normalised_as_the_configuration_says(crops):
    path = find_images([crops])[:1]
    (_, usual), (_, plain) = (
        next(read_images(path, 64, 32, each)) for each in (IMAGENET, Normalisation((0, 0, 0), (1, 1, 1)))
    )
    mean, std = (torch.tensor(values)[:, None, None] for values in IMAGENET)
    torch.testing.assert_close(usual * std + mean, plain)


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
