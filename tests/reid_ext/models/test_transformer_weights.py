"""Pretrained weights of transformers: timm's, resized, and SOLIDER's in mmseg's names."""

import re

import pytest
import torch
from timm.models.swin_transformer import PatchMerging
from torch import nn

import reid_ext
from plugins.errors import KpstraError
from reid_ext.host import torchreid
from reid_ext.models import backbones, transformer_weights
from reid_ext.models.options import building
from reid_ext.models.pretrained import load_imagenet
from reid_ext.models.transformer_weights import from_solider

reid_ext.register()
SWIN = {"embed_dim": 24, "depths": (2, 1), "num_heads": (2, 4)}
SMALL = {
    "vit_small_patch16": ("vit_tiny_patch16_224", {"depth": 2}),
    "swin_tiny": ("swin_tiny_patch4_window7_224", SWIN),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, backbone in SMALL.items():
        monkeypatch.setitem(backbones.BACKBONES, name, backbone)


def build(name, size=(64, 32), pretrained=False, **kprpe):
    with building(size, kprpe):
        return torchreid.models.build_model(name, 5, pretrained=pretrained, use_gpu=False).eval()


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", SMALL)
def test_weights_of_timm_s_files_fill_the_backbone(name, ending, tmp_path, capsys):
    """Of the same size all are taken over, but the classifier's; the rest stays."""
    source = backbones.build_backbone(name, (64, 32))
    weights = {**source.state_dict(), "head.weight": torch.zeros(1000, 7)}
    path = tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save({"model": weights}, path)
    else:
        from safetensors.torch import save_file

        save_file({key: value.contiguous() for key, value in weights.items()}, path)
    model = build(f"{name}_kprpe", pretrained=str(path))
    images, keypoints = torch.randn(2, 3, 64, 32), torch.rand(2, 17, 3)
    with torch.no_grad():
        expected = model.head(backbones.features(source.eval(), images)[0])
        torch.testing.assert_close(model(images, keypoints), expected, atol=1e-5, rtol=1e-5)
    said = capsys.readouterr().out
    assert f"of the model's {len(model.backbone.state_dict())} tensors loaded" in said and "another shape" not in said


@pytest.mark.parametrize("name", SMALL)
def test_weights_of_other_sizes_are_resized(name, tmp_path):
    """Position tables are interpolated to the images' size; nothing is left out for its shape."""
    path = tmp_path / "weights.pth"
    torch.save(backbones.build_backbone(name, (224, 224)).state_dict(), path)
    model = build(name)
    report = load_imagenet(model, name, path)
    assert not report.left_out and not report.kept


def test_where_kprpe_replaces_the_table_the_file_s_is_left_out(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(backbones.build_backbone("swin_tiny", (64, 32)).state_dict(), path)
    report = load_imagenet(build("swin_tiny_kprpe", mode="replace"), "swin_tiny_kprpe", path)
    assert len(report.unknown) == 3 and all("relative_position_bias_table" in name for name in report.unknown)


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(KpstraError, match=f"{re.escape(str(path))}: no tensor fits the model"):
        load_imagenet(build("swin_tiny"), "swin_tiny", path)
    torch.save({"layers.7.blocks.0.attn.relative_position_bias_table": torch.zeros(1, 1)}, path)
    with pytest.raises(KpstraError, match="no weights of swin_tiny_patch4_window7_224"):
        load_imagenet(build("swin_tiny"), "swin_tiny", path)


def test_without_a_network(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(transformer_weights.timm, "create_model", unreachable)
    with pytest.raises(
        KpstraError, match=r"vit_small_patch16: cannot download timm's .*no route.*stra\.pretrained_path"
    ):
        transformer_weights._published("vit_small_patch16")


class Merging(nn.Module):
    """mmseg's patch merging, from its description: unfold 2 x 2 patches, norm, project."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x):
        patches = nn.functional.unfold(x.permute(0, 3, 1, 2), 2, stride=2).transpose(1, 2)
        y = self.reduction(self.norm(patches))
        return y.unflatten(1, (x.shape[1] // 2, x.shape[2] // 2))


def test_solider_s_merging_is_reordered():
    theirs, ours = Merging(6), PatchMerging(6)
    renamed = from_solider({f"stages.0.downsample.{key}": value for key, value in theirs.state_dict().items()})
    ours.load_state_dict({key.removeprefix("layers.0.downsample."): value for key, value in renamed.items()})
    x = torch.randn(2, 4, 8, 6)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_a_file_in_solider_s_names(tmp_path):
    """Every weight finds its place; the teacher's are taken, its semantic embedding and other norms are not."""
    source = backbones.build_backbone("swin_tiny", (64, 32))
    renames = (
        (r"^layers\.1\.downsample\.", "stages.0.downsample."),
        (r"^layers\.", "stages."),
        (r"^patch_embed\.proj\.", "patch_embed.projection."),
        (r"\.attn\.", ".attn.w_msa."),
        (r"\.mlp\.fc1\.", ".ffn.layers.0.0."),
        (r"\.mlp\.fc2\.", ".ffn.layers.1."),
        (r"^norm\.", "norm3."),
    )
    theirs = {}
    for key, value in source.state_dict().items():
        if "downsample" in key:  # columns, rows, channels -> channels, rows, columns
            value = value.unflatten(-1, (2, 2, -1)).transpose(-1, -3).flatten(-3)
        for pattern, new in renames:
            key = re.sub(pattern, new, key)
        theirs[f"backbone.{key}"] = value
    theirs |= {"backbone.norm0.weight": torch.ones(24), "backbone.semantic_embed_w.0.weight": torch.ones(2, 2)}
    path = tmp_path / "solider.pth"
    torch.save({"teacher": theirs}, path)
    model = build("swin_tiny")
    report = load_imagenet(model, "swin_tiny", path)
    assert not report.left_out and not report.kept
    for name, value in source.state_dict().items():
        torch.testing.assert_close(model.backbone.state_dict()[name], value)
