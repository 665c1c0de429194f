"""Curves from TensorBoard's files."""

import pytest
from torch.utils.tensorboard import SummaryWriter

from plugins.benchmarks.report import Series, read_scalars
from plugins.benchmarks.report.scalars import draw_curves


def write(folder, steps, offset=0.0, **options):
    with SummaryWriter(str(folder), **options) as writer:
        for step in steps:
            writer.add_scalar("loss", offset + step / 4, step)
            writer.add_scalar("lr", 0.5, step)


def test_values_by_step(tmp_path):
    write(tmp_path, range(3))
    assert read_scalars(tmp_path) == {"loss": Series([0, 1, 2], [0.0, 0.25, 0.5]), "lr": Series([0, 1, 2], [0.5] * 3)}
    assert read_scalars(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("options", [{}, {"purge_step": 2}])
def test_a_run_that_went_on_overwrites(tmp_path, options):
    """Both hosts' ways: with TensorBoard's mark for what is void, and without."""
    write(tmp_path, range(4), filename_suffix=".a")
    write(tmp_path, range(2, 5), 8.0, filename_suffix=".b", **options)
    assert read_scalars(tmp_path)["loss"] == Series([0, 1, 2, 3, 4], [0.0, 0.25, 8.5, 8.75, 9.0])


def test_a_panel_for_each_quantity_and_a_line_for_each_run():
    short = Series([0, 1], [1.0, 2.0])
    rows = {
        "one": [{"loss": short, "accuracy": short}, {"loss": short}],
        "two": [{"loss": Series(range(30), range(30)), "a": short, "b": short, "c": short}],
    }
    figure = draw_curves(rows, "epoch")
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["loss", "accuracy", "a", "b", "c"]
    assert [len(ax.lines) for ax in shown] == [3, 1, 1, 1, 1] and {ax.get_xlabel() for ax in shown} == {"epoch"}
    one, other, two = shown[0].lines
    assert one.get_color() == other.get_color() != two.get_color() == shown[2].lines[0].get_color()
    assert list(two.get_xdata()) == list(range(30))
    assert [text.get_text() for text in figure.legends[0].texts] == ["one", "two"]
