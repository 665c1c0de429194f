"""Generated pages: parts beside each other, tables whose cells hold bars, help texts with angle brackets."""

from plugins.common.pages import prose, table, write_part


def test_a_part_is_replaced_and_the_others_stay(tmp_path):
    page = tmp_path / "page.md"
    write_part(page, "# Title", "a", ["one"])
    write_part(page, "# Title", "b", ["two"])
    write_part(page, "# Another", "a", ["three"])
    assert page.read_text() == (
        "# Title\n\n<!-- begin of a -->\nthree\n<!-- end of a -->\n\n<!-- begin of b -->\ntwo\n<!-- end of b -->\n"
    )


def test_bars_do_not_end_a_cell():
    assert table(["x"], [["a|b"]]) == ["| x |", "| --- |", "| a&#124;b |"]


def test_angles_and_stars_are_shown_but_code_is_kept():
    assert prose("<id>/*.pkl or ``<id>/*.pkl`` of :class:`~a.Folder`") == "&lt;id>/\\*.pkl or `<id>/*.pkl` of a.Folder"
