"""The picture of interaction is written whole, and mistakes are named before the work."""

from plugins.__main__ import main


def test_picture(tmp_path, capsys):
    path = tmp_path / "interaction.png"
    assert main(["picture", "--steps", "10", "--output", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG") and "nonlinear" in capsys.readouterr().out
    assert main(["picture", "--steps", "3", "--output", str(tmp_path / "other.png")]) == 2
    assert "--steps: 3: expected 10 or more" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["interaction.png"]
