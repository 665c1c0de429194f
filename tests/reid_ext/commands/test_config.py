"""`reid-ext config`: what it prints is what a run takes."""

import pytest

from reid_ext.__main__ import main
from reid_ext.settings.load import load_config


def test_the_printed_settings_are_read_back(tmp_path, capsys):
    given = ["-t", "market1501", "data.height", "64", "train.lr=1e-5", "train.open_layers=['classifier']"]
    assert main(["config", "resnet50_stra", *given]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "my.yaml").write_text(printed)
    cfg = load_config(str(tmp_path / "my.yaml"))
    opts = ["data.height", "64", "train.lr", "1e-5", "train.open_layers", "['classifier']"]
    assert cfg == load_config("configs/reid/resnet50_stra.yaml", opts)
    assert cfg.data.height == 64 and cfg.data.targets == ["market1501"]
    assert main(["config", str(tmp_path / "my.yaml")]) == 0 and capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["resnet50_strra"], "resnet50_strra: no such configuration, neither from the working directory nor shipped"),
        (["opengait/pets_swingait2d"], "data_cfg"),
        (["resnet50_stra", "train.max_epoch", "2", "--gpu-devices", "0"], "--gpu-devices: no such option"),
        (["resnet50_stra", "train.max_epoh=2"], "did you mean 'train.max_epoch'"),
    ],
)
def test_mistakes(capsys, argv, said):
    assert main(["config", *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("reid-ext config: error: ") and said in error and error.count("\n") == 1
