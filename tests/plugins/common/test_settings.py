"""Settings by dotted key, and files of them."""

import pytest

from plugins.common.settings import (
    flatten,
    get_value,
    known_keys,
    over_defaults,
    read_yaml,
    refuse_taken,
    resolve_config,
    set_value,
)
from plugins.errors import KpstraError

NESTED = {"a": {"b": 1, "c": [2, {"d": 3}]}, "e": {}, "f": None}


def test_flatten():
    assert flatten(NESTED) == {"a.b": 1, "a.c": [2, {"d": 3}], "e": {}, "f": None}
    assert flatten(NESTED, lists=True) == {"a.b": 1, "a.c.0": 2, "a.c.1.d": 3, "e": {}, "f": None}
    assert flatten({}) == {}


def test_every_flattened_key_names_its_value():
    for key, value in flatten(NESTED, lists=True).items():
        assert get_value(NESTED, key) == value
    for key in ("x", "a.x", "a.b.x", "a.c.2", "a.c.x", "f.x"):
        with pytest.raises(KeyError):
            get_value(NESTED, key)


def test_set_value():
    settings = {"a": {"c": [2, {"d": 3}]}, "f": None}
    for key, value in (("a.c.1.d", 4), ("a.c.0", 5), ("f.g", 6), ("h.i.j", 7)):
        set_value(settings, key, value)
        assert get_value(settings, key) == value
    assert settings == {"a": {"c": [5, {"d": 4}]}, "f": {"g": 6}, "h": {"i": {"j": 7}}}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("a.b.x", "x.yaml: a.b.x: a.b is 1, no section"),
        ("a.c.2", "x.yaml: a.c.2: '2': expected a number from 0 to 1"),
        ("a.c.d.e", "x.yaml: a.c.d.e: 'd': expected a number from 0 to 1"),
        ("g.0", "x.yaml: g.0: '0': expected nothing: the list is empty"),
    ],
)
def test_keys_that_lead_nowhere(key, message):
    with pytest.raises(KpstraError) as caught:
        set_value({"a": {"b": 1, "c": [2, 3]}, "g": []}, key, 1, "x.yaml")
    assert str(caught.value) == message


def test_settings_over_defaults():
    defaults = {"a": 1, "b": 2}
    assert over_defaults({"b": 3}, defaults, "x") == {"a": 1, "b": 3} and over_defaults(None, defaults, "x") == defaults
    assert defaults == {"a": 1, "b": 2}
    with pytest.raises(KpstraError, match="x: 3: expected keys and values"):
        over_defaults(3, defaults, "x")
    with pytest.raises(KpstraError, match="x: c: unknown key"):
        over_defaults({"c": 3}, defaults, "x")


def test_known_keys():
    known_keys({"name": 1, "label": 2}, ("label",), "x.yaml", required=("name",))
    for mapping, message in (
        ({"nmae": 1}, "x.yaml: rows.0.nmae: unknown key (did you mean 'name'?)"),
        ({"qq": 1}, "x.yaml: rows.0.qq: unknown key; known: label, name"),
        ({}, "x.yaml: rows.0: `name` is missing"),
        ([1], "x.yaml: rows.0: [1]: expected keys and values"),
    ):
        with pytest.raises(KpstraError) as caught:
            known_keys(mapping, ("label",), "x.yaml: rows.0", required=("name",))
        assert str(caught.value) == message
    with pytest.raises(KpstraError, match=r"^x.yaml: a: unknown key; known: b$"):
        known_keys({"a": 1}, ("b",), "x.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", r"not readable as YAML: .*line 1, column"),
        (b"a: 1\n\tb: 2", r"not readable as YAML: .*line 2"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"- 1\n- 2", r"expected sections, found \[1, 2\]"),
        (b"5", "expected sections, found 5"),
        (b"a: !!python/object/apply:os.system [x]", "not readable as YAML: could not determine a constructor"),
        (b"[" * 5_000, "not readable as YAML"),
        (b"a: {b: 1, c: 2,\n b: 3}", "not readable as YAML: b has two values, in lines 1 and 2"),
        (b"a: {b: {c: 1}, b: {c: 2}}", "not readable as YAML: b has two values, in lines 1 and 1"),
        (b"a: 2020-13-45", "not readable as YAML: month must be in 1..12"),
    ],
)
def test_files_that_are_no_settings(tmp_path, content, message):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(KpstraError, match=f"^{path}: {message}") as caught:
        read_yaml(path, "sections")
    assert "\n" not in str(caught.value)


def test_files(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: {b: 1}\n")  # as some Windows editors begin a file
    assert read_yaml(path) == {"a": {"b": 1}}
    path.write_text("a: {b: [1, {c: 2}], b: [1, {c: 2}]}\n")
    assert read_yaml(path) == {"a": {"b": [1, {"c": 2}]}}
    path.write_text("a: &a {b: 1, c: 2}\nd: {<<: *a, b: 3}\n")
    assert read_yaml(path)["d"] == {"b": 3, "c": 2}
    path.write_text("# nothing\n")
    assert read_yaml(path) == {}
    with pytest.raises(KpstraError, match=r"gone.yaml: cannot be read: No such file"):
        read_yaml(tmp_path / "gone.yaml")
    with pytest.raises(KpstraError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


def test_a_shipped_configuration_by_name():
    by_names = ("configs/reid/resnet50_stra.yaml", "reid/resnet50_stra.yaml", "reid/resnet50_stra", "resnet50_stra")
    assert len({resolve_config(name, "reid").resolve() for name in by_names}) == 1
    assert resolve_config("leaderboard_pets").name == "leaderboard_pets.yaml"


@pytest.mark.parametrize(
    ("name", "folder", "hint"),
    [
        ("nope.yaml", "opengait", "; shipped are deepgaitv2_2d_.*"),
        ("resnet50_stra", "opengait", "; shipped are .*"),  # of the other host
        ("walkers_kprpe", "opengait", r" \(did you mean 'walkers_swingait2d_kprpe'\?\)"),
        ("configs/opengait/swingait2d_kprp_gait3d.yaml", "opengait", r" \(did you mean 'swingait2d_kprpe_gait3d'\?\)"),
        ("leaderboard_walker", "", r" \(did you mean 'leaderboard_walkers'\?\)"),
        ("dat", "", "; shipped are leaderboard, leaderboard_.*"),  # data.yaml is no leaderboard
        (
            "walkers_relative_image",
            "opengait",
            "; it is a row of leaderboard_walkers: opengait/walkers_swingait2d_kprpe "
            "model_cfg.kprpe.formulation=relative model_cfg.kprpe.grid=image",
        ),
        ("swingait2d_kprpe", "opengait", "; it is a row of leaderboard: opengait/swingait2d_kprpe_gait3d"),
    ],
)
def test_a_name_that_is_no_configuration(name, folder, hint):
    with pytest.raises(KpstraError, match=f"^{name}: no such configuration, neither .* shipped{hint}$"):
        resolve_config(name, folder)


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(KpstraError, match="is a folder; give a YAML file"):
        resolve_config(tmp_path, "reid")


def test_keys_that_something_else_gives():
    refuse_taken(["train.lr"], {"train.seed": "give --seeds"}, "command line")
    with pytest.raises(KpstraError, match=r"^t\.yaml: set: train\.seed: has no effect here; give --seeds$"):
        refuse_taken(["train.lr", "train.seed"], {"train.seed": "give --seeds"}, "t.yaml: set")
