"""The toy: its networks, its runs in a folder, its report and its command line."""

import json

import pytest
import torch

from plugins.__main__ import main
from plugins.benchmarks.toy import digits, train
from plugins.benchmarks.toy.digits import Digits, Source, from_sklearn
from plugins.benchmarks.toy.network import ToyNetwork, draw_keypoints
from plugins.benchmarks.toy.protocol import TESTS, TRAINING
from plugins.benchmarks.toy.report import chart, paired, table
from plugins.benchmarks.toy.runs import collect, collect_shares, make_all, make_runs
from plugins.benchmarks.toy.variants import VARIANTS
from plugins.errors import KpstraError


def network(variant: str, spread: float = 0.0) -> ToyNetwork:
    torch.manual_seed(0)
    net = ToyNetwork(variant).eval()
    net.fit_pose(torch.rand(20, 1, 40, 40), torch.rand(20, 5, 2))
    torch.manual_seed(1)  # a hidden layer has drawn numbers
    torch.nn.init.normal_(net.vit.head.weight)
    for parameter in net.tables():
        if spread:
            torch.nn.init.normal_(parameter, std=spread)
    return net


@pytest.fixture
def batch():
    return torch.rand(4, 1, 40, 40), torch.rand(4, 5, 2)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in ("absolute", "drawn") and "rotary" not in v])
def test_variants_start_equal_and_their_tables_act(variant, batch):
    start = network("absolute")(*batch)
    torch.testing.assert_close(network(variant)(*batch), start, atol=1e-5, rtol=0)
    assert not torch.allclose(network(variant, spread=1.0)(*batch), start, atol=1e-2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_who_looks_at_the_keypoints(variant, batch):
    canvases, keypoints = batch
    net = network(variant, spread=1.0)
    changed = (net(canvases, keypoints) - net(canvases, keypoints * 0.5)).abs().max()
    kind = VARIANTS[variant]
    looks = variant == "drawn" or (kind.knows_keypoints and not kind.modes)
    assert (changed > 1e-3) if looks else (changed < 1e-5)


def test_modes_are_found_in_the_image_and_learn_from_the_logits(batch):
    """The control, with as many parameters, learns to keep its modes apart and nothing else."""
    canvases, keypoints = batch
    for variant in ("modes", "modes-constant"):
        net = network(variant, spread=1.0)
        logits, diversity = net.with_diversity(canvases, keypoints)
        weight = net.modes.finder.mask[-1].weight
        (gradient,) = torch.autograd.grad(logits.sum(), weight, allow_unused=True, retain_graph=True)
        assert (gradient is None) == (variant == "modes-constant")
        assert torch.autograd.grad(diversity, weight)[0].abs().sum() > 0
    sizes = [sum(p.numel() for p in ToyNetwork(variant).parameters()) for variant in ("modes", "modes-constant")]
    assert sizes[0] == sizes[1]


def test_every_control_is_a_variant_with_as_many_parameters():
    for kind in VARIANTS.values():
        if kind.knows_keypoints and kind.control != "static":
            given, control = ({**k.kprpe, "keypoints": None} for k in (kind, VARIANTS[kind.control]))
            assert given | {"rotary": None} == control | {"rotary": None}
        assert kind.control is None or VARIANTS[kind.control].control is None


def test_parameters_of_the_tables():
    layers, heads, head_dim, buckets, points = 2, 3, 16, 49, 5
    shared, own = buckets * (2 * points + 1), layers * heads * buckets * (2 * points + 1)
    expected = {
        "absolute": 0,
        "drawn": 0,
        "rpe": layers * heads * buckets,
        "irpe": layers * buckets * head_dim,
        "kprpe-absolute": shared,
        "kprpe-relative": shared,
        "kprpe-multihead": own,
        "static": own,
    }
    assert {v: sum(p.numel() for p in ToyNetwork(v).tables()) for v in expected} == expected


def test_irpe_equals_the_formula_pair_by_pair(batch):
    attention = network("irpe", spread=1.0).vit.blocks[0].attn
    x = torch.randn(1, 64, 48)
    q = attention.attention.qkv(x)[0, :, :48].reshape(64, 3, 16)
    bias = attention.bias(x)[0]
    for head, i, j in [(0, 0, 63), (1, 20, 21), (2, 63, 5)]:
        expected = q[i, head] @ attention.table[attention.index[i, j]] / 4
        torch.testing.assert_close(bias[head, i, j], expected, atol=1e-5, rtol=1e-5)


def test_keypoints_are_drawn_where_they_are():
    keypoints = torch.tensor([[[0.5, 0.25], [-0.1, 0.5], [0.5, 1.0], [0.999, 0.0], [2.0, 2.0]]])
    drawn = draw_keypoints(torch.zeros(1, 1, 40, 40), keypoints)
    assert drawn.nonzero().tolist() == [[0, 0, 0, 39], [0, 0, 10, 20]]


def test_an_unknown_variant_is_named():
    with pytest.raises(KpstraError, match=r"variant: 'statik'.*did you mean 'static'"):
        ToyNetwork("statik")


@pytest.fixture(scope="module")
def few() -> Source:
    source = from_sklearn()
    return Source("a few", *(Digits(*(values[:40] for values in part)) for part in (source.train, source.test)))


CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_tests(monkeypatch):
    monkeypatch.setattr(train, "TEST_CANVASES", 50)


def test_runs_are_skipped_resumed_and_the_same_again(few, tmp_path):
    runs = make_runs(["static", "kprpe-multihead"], [0])
    assert len(runs) == 2 * len(TRAINING)
    assert make_all(runs, few, 2, tmp_path / "a", CPU) == len(runs)
    assert make_all(runs, few, 2, tmp_path / "a", CPU) == 0
    lost = tmp_path / "a" / "runs" / f"{runs[-1]}.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    assert make_all(runs, few, 2, tmp_path / "a", CPU) == 1
    assert json.loads(lost.read_text())["accuracy"] == before["accuracy"]
    assert list((tmp_path / "a" / "tensorboard" / str(runs[0])).iterdir())
    measured = {test: set(variants) for test, variants in collect(tmp_path / "a").items()}
    assert measured == {test: {"static", "kprpe-multihead"} for test in TESTS}
    shares = collect_shares(tmp_path / "a")
    assert shares["static"] == [0] * len(TRAINING) and all(0 < share < 1 for share in shares["kprpe-multihead"])


def test_few_digits_are_placed_several_times(few, monkeypatch):
    sizes = []
    monkeypatch.setattr(train, "place", lambda digits, *_: (torch.zeros(len(digits.labels)), torch.zeros(1)))
    net = torch.nn.Module()
    net.forward = lambda canvases, keypoints: sizes.append(len(canvases)) or torch.zeros(len(canvases), 10)
    zeros = 100 * float((few.test.labels == 0).float().mean())
    assert train.accuracy(net, few.test, "clean", CPU) == pytest.approx(zeros)
    assert sum(sizes) == 80  # 40 digits, at least 50 canvases


def test_other_settings_in_a_folder_are_refused(few, tmp_path):
    make_all([], few, 2, tmp_path, CPU)
    (tmp_path / "made").touch()  # a folder in which nothing was made takes other settings
    with pytest.raises(KpstraError, match="was begun with steps 2, not 3; give the same settings"):
        make_all([], few, 3, tmp_path, CPU)
    with pytest.raises(KpstraError, match="was begun with digits 'a few'"):
        make_all([], few._replace(name="others"), 2, tmp_path, CPU)


NOT_NUMBERS = [
    f'{{"variant": "static", "seed": 0, "accuracy": {{"clean": {value}}}}}' for value in ("NaN", '"9"', "-1", "null")
]


def test_a_result_that_is_none_is_named(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(KpstraError, match="no finished runs"):
        collect(tmp_path)
    broken = tmp_path / "runs" / "x.json"
    for content in (
        "{",
        "[]",
        '{"variant": "static"}',
        '{"variant": "y", "seed": 0, "accuracy": {"clean": 1}}',
        *NOT_NUMBERS,
    ):
        broken.write_text(content)
        with pytest.raises(KpstraError, match=r"x\.json"):
            collect(tmp_path)


RESULTS = {
    **{test: {} for test in TESTS},
    "clean": {"rpe": {0: 90.0}, "kprpe-multihead": {0: 91.0, 1: 95.0, 2: 99.0}, "static": {0: 90.0, 1: 93.0}},
}


def test_the_table_gives_mean_spread_and_differences_of_shared_seeds():
    lines = table(RESULTS).splitlines()
    assert "| + KP-RPE, multihead relative f(P) | 95.0 ± 4.0 | not measured |" in lines[3]
    assert "| + RPE | 90.0 | not measured |" in lines[2]
    assert paired(RESULTS, "clean", "kprpe-multihead") == [1.0, 2.0]
    assert "| + KP-RPE, multihead relative f(P) | +1.5 ± 0.7 | not measured |" in lines[-1]
    assert any("98.1 | 77.27" in line for line in lines)


def test_the_chart_has_a_panel_for_each_measured_test():
    results = {**RESULTS, "affine": RESULTS["clean"]}
    axes = chart(results, "title").axes
    assert [ax.get_title().split(":")[0] for ax in axes] == ["clean", "affine"]
    assert [bar.get_width() for bar in axes[0].patches] == [90.0, 95.0, 91.5]


def test_the_command_end_to_end(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(digits, "from_sklearn", lambda: few)
    arguments = ["--output", str(tmp_path), "--variants", "absolute", "static", "--seeds", "0", "--steps", "2"]
    assert main(["toy", *arguments, "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "| absolute PE |" in out and f"{2 * len(TRAINING)} runs in" in out
    assert (tmp_path / "toy.png").read_bytes().startswith(b"\x89PNG")
    assert "a few: 40 in training" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variants", "statik"], "--variants: 'statik' is not one of"),
        (["--seeds", "0", "-1"], "--seeds: -1: expected 0 or more"),
        (["--device", "cpx"], "--device: 'cpx': "),
        (["--steps", "1"], "--steps: 1: expected 2 or more"),
        (["--npz", "nothing.npz"], "--npz nothing.npz: cannot be read"),
        (["--mnist", "nowhere"], "--mnist nowhere: "),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, capsys):
    assert main(["toy", *arguments, "--output", str(tmp_path / "o")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m plugins toy: error: {message}") and error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_folder_that_cannot_be_written_is_one_line(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(digits, "from_sklearn", lambda: few)
    (tmp_path / "file").touch()
    assert main(["toy", "--output", str(tmp_path / "file" / "o"), "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m plugins toy: error: --output {tmp_path}/file/o: ")
    assert error.count("\n") == 1


def test_ctrl_c(monkeypatch, capsys):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "from_sklearn", stop)
    assert main(["toy"]) == 130
    assert "interrupted" in capsys.readouterr().err
