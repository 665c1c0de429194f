"""Settings in both hosts' spellings beside options, and plain help."""

import pytest

from plugins.common.arguments import Parser, plain_text
from plugins.errors import KpstraError


@pytest.fixture
def parser():
    made = Parser(prog="p")
    made.add_argument("name")
    made.add_argument("-t", "--targets", nargs="+", default=[])
    made.add_argument("--seeds", nargs="+", type=int, default=[0])
    made.add_argument("--size", nargs=2)
    made.add_argument("--root", help="100 %% there")
    made.add_argument("--flag", action="store_true")
    made.add_overrides("a.b=1", ["use_gpu"])
    return made


@pytest.mark.parametrize(
    ("line", "options", "overrides"),
    [
        ("x a.b=1=2 c.d 3", {}, ["a.b=1=2", "c.d=3"]),
        ("x -t market1501 data.height 64", {"targets": ["market1501"]}, ["data.height=64"]),
        ("x --targets a b use_gpu False --flag", {"targets": ["a", "b"], "flag": True}, ["use_gpu=False"]),
        ("x --seeds 0 -1 e.f -1", {"seeds": [0, -1]}, ["e.f=-1"]),
        ("x --seeds 0 1 lr=2 --root d.e", {"seeds": [0, 1], "root": "d.e"}, ["lr=2"]),
        ("a.b c.d.0.e x.y --size f.g h=i", {"name": "a.b", "size": ["f.g", "h=i"]}, ["c.d.0.e=x.y"]),
        ("--root=d.e x --ro a=b", {"root": "a=b"}, []),  # abbreviated, as argparse takes it
        ("-tfoo x a.b 1", {"targets": ["foo"]}, ["a.b=1"]),
        ("x -- a.b 1", {}, ["a.b=1"]),
    ],
)
def test_settings_may_stand_anywhere(parser, line, options, overrides):
    args = vars(parser.parse_args(line.split()))
    assert args["overrides"] == overrides and args["name"]
    assert {key: args[key] for key in options} == options


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x a.b", "a.b: expected a value after it, or a.b=VALUE; see `p --help`"),
        ("x a.b --flag", "a.b: expected a value after it"),
        ("x a.b -t y", "a.b: expected a value after it"),
        ("x a.b 1 --gpu-devices 0", r"--gpu-devices: no such option \(did you mean 'use_gpu'\?\)"),
        ("x --xyz 0", "--xyz: no such option; see"),
        ("x --sedes 1", r"--sedes: no such option \(did you mean '--seeds'\?\)"),
        ("x a.b 1 2", "'2': expected a setting such as a.b=1"),
        ("x --seeds 1 y", "argument --seeds: invalid int value: 'y'"),
        ("x -t a.b 1", "argument -t/--targets: expected at least one argument"),
        ("a.b=1", "the following arguments are required: name"),
    ],
)
def test_mistakes_are_one_line(parser, line, said):
    with pytest.raises(KpstraError, match=f"^{said}") as error:
        parser.parse_args(line.split())
    assert "\n" not in str(error.value)


def test_a_parser_without_settings_takes_none():
    made = Parser(prog="p")
    made.add_argument("--images", nargs="+")
    assert made.parse_args(["--images", "a.jpg", "b.jpg"]).images == ["a.jpg", "b.jpg"]
    with pytest.raises(KpstraError, match=r"'a\.b=1': expected an option"):
        made.parse_args(["a.b=1"])


def test_help_is_plain():
    text = Parser(description="Of ``x``.\n\n* one\n  item\n* two\n\n  kept   as it is", prog="p").format_help()
    assert "Of `x`.\n\n* one item\n* two\n\n  kept   as it is\n" in text
    assert plain_text(":class:`~a.B` and ``c``") == "a.B and `c`"
