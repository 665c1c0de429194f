"""`reid-ext leaderboard` on the shipped crops: two seeds, a SIGKILL in the middle, the report, the models."""

import json
import re
import signal
import statistics
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import models_page
import programs
import pytest
import yaml
from reid_data import COMPLEXITY
from web_page import read_page

from plugins.benchmarks.leaderboard import Job, Result, Row
from plugins.common.settings import flatten
from plugins.errors import KpstraError
from reid_ext.__main__ import main
from reid_ext.benchmarks.leaderboard import TorchreidHost, complexity
from reid_ext.settings.evaluation import evaluation_settings
from reid_ext.settings.load import load_config
from reid_ext.training.results import Results

ROOT = Path(__file__).parents[3]
EPOCHS = 2
SMALL = ["data.height=64", "data.width=32", "train.print_freq", "1", "use_gpu=False", f"train.max_epoch={EPOCHS}"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two rows of the same small network, and one of the paper alone."""
    rows = [{"name": name, "config": "reid/pets_mobilenetv2_stra"} for name in ("first", "second")]
    section = {
        "title": "pets",
        "metrics": {"mAP": "mAP", "Rank-1": "rank-1"},
        "rows": [{"name": "others", "config": None, "paper": {"mAP": 12.5}}, *rows],
    }
    path = tmp_path_factory.mktemp("table") / "table.yaml"
    path.write_text(yaml.dump({"reid": section}))
    return path


def arguments(table, results, *more):
    root = ROOT / "tests" / "data" / "pets-mini"
    files = ["--table", str(table), "--results", str(results), "--root", str(root)]
    return ["leaderboard", "run", *files, "--rows", "first", *more]


def checkpoint(folder, epoch):
    return folder / "model" / f"model.pth.tar-{epoch}"


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    """Two seeds; the runner is killed in the second, when two epochs are done, and started again."""
    results = tmp_path_factory.mktemp("results")
    command = arguments(table, results, "--seeds", "0", "1", *SMALL)
    first, second = (results / "reid" / "first" / f"seed{seed}" for seed in (0, 1))
    began = checkpoint(second, EPOCHS - 1)
    programs.leaderboard("reid_ext", *command[1:], when=began.is_file, expect=-signal.SIGKILL)
    assert began.is_file() and not checkpoint(second, EPOCHS).is_file()
    complete = {
        path: path.stat().st_mtime_ns
        for path in [*first.rglob("*"), checkpoint(second, 1)]
        if path.is_file() and path.name != ".lock"
    }
    programs.leaderboard("reid_ext", *command[1:])
    assert complete == {path: path.stat().st_mtime_ns for path in complete}
    return table, results, command


def measured(folder: Path) -> dict[str, float]:
    """What the engine measured in a run's newest evaluation, in percent; the host's lines in its log round that."""
    path = max(folder.glob("*.results.json"), key=lambda path: path.stat().st_mtime)
    metrics = json.loads(path.read_text())["metrics"]["market1501"]
    log = max(folder.glob("*.log-*"), key=lambda path: path.stat().st_mtime).read_text()
    said = dict(re.findall(r"^(mAP|Rank-1) *: (.+)$", log.rpartition("** Results **")[2], re.MULTILINE))
    assert said == {name: f"{metrics[name]:.1%}" for name in said} and said
    return {name: 100 * value for name, value in metrics.items()}


@pytest.mark.slow
def test_a_killed_runner_goes_on_and_repeats_nothing(finished, capsys):
    _, results, command = finished
    second = results / "reid" / "first" / "seed1"
    logs = sorted(second.glob("train.log-*"))
    assert len(logs) == 2 and f"Resuming {checkpoint(second, EPOCHS - 1)}" in logs[1].read_text()
    assert "epoch: [1/" not in logs[1].read_text() and len(list(second.parent.glob("seed0/*.log-*"))) == 1
    assert main(command) == 0
    assert "0 finished, 2 already finished, 0 failed" in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_is_what_the_logs_say(finished, tmp_path, capsys):
    table, results, _ = finished
    files = ["--table", str(table), "--results", str(results), "--output", str(tmp_path)]
    assert main(["leaderboard", "report", *files]) == 0
    assert "1 of 3 rows measured" in capsys.readouterr().out
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    runs = [measured(results / "reid" / "first" / f"seed{seed}") for seed in (0, 1)]
    for metric, heading in (("mAP", "mAP measured"), ("Rank-1", "rank-1 measured")):
        column, values = rows[0].index(heading), [run[metric] for run in runs]
        shown = re.findall(r"[\d.]+", rows[3][column])
        assert [float(number) for number in shown] == pytest.approx(
            [statistics.fmean(values), statistics.stdev(values)], abs=0.006
        )
        assert rows[2][column] == "paper only" and rows[4][column] == "not measured"
    assert rows[3][rows[0].index("seeds")] == "2"


@pytest.mark.slow
def test_a_run_ends_with_a_page(finished):
    """Of all rows, with the curves and every command of every run."""
    _, results, _ = finished
    page = read_page(results / "reid" / "report.html")
    (table,) = page.tables["results"]
    assert [row[0] for row in table] == ["model", "others", "first", "second"] and "±" in table[2][2]
    assert len(page.pictures) == 1
    assert len(page.pre) == 3 and all(line.startswith("python -m reid_ext --config-file ") for line in page.pre)
    assert "model.resume" in page.pre[2]
    assert page.tables["versions"][0][-1][0] == "torchreid"
    curves = TorchreidHost.curves(results / "reid" / "first" / "seed0")
    assert curves.keys() == {"Train/loss", "Train/loss_x", "Train/loss_d", "Train/acc"}
    assert all(curve.steps == list(range(curve.steps[-1] + 1)) for curve in curves.values())


def test_an_evaluation_in_between_is_no_result(tmp_path):
    assert TorchreidHost.result(tmp_path) is None
    between = Results({"a": {"mAP": 0.1}, "b": {"mAP": 0.2, "Rank-1": 0.3}}, False, 1, 5.0, "GPU")
    between.write(tmp_path)
    assert TorchreidHost.result(tmp_path) is None
    path = replace(between, final=True, epoch=2, seconds=3723).write(tmp_path)
    result = TorchreidHost.result(tmp_path)
    metrics = {"mAP": 20.0, "Rank-1": 30.0, "a mAP": 10.0, "b mAP": 20.0, "b Rank-1": 30.0}  # the last target's first
    assert result == Result(metrics, path, 3723, "GPU")


def test_a_test_that_somebody_wrote_into_a_runs_folder_is_not_its_result(tmp_path):
    """Of another checkpoint, or with other settings."""
    begun = flatten(load_config("reid/pets_mobilenetv2_stra", ["train.max_epoch", str(EPOCHS)]))
    (tmp_path / "settings.json").write_text(json.dumps({"settings": {**begun, "data.root": "before"}}))
    tested = evaluation_settings(begun)
    run = Results({"market1501": {"mAP": 0.5}}, True, None, None, "", f"model/model.pth.tar-{EPOCHS}", EPOCHS, tested)
    for other in (
        replace(run, checkpoint="model/model.pth.tar-1", checkpoint_epoch=1),
        replace(run, settings={**tested, "test.rerank": True}),
    ):
        other.write(tmp_path)
        assert TorchreidHost.result(tmp_path) is None
    run.write(tmp_path)
    assert TorchreidHost.result(tmp_path).metrics == {"mAP": 50.0}
    replace(run, checkpoint="", settings=None).write(tmp_path)  # a file of before
    assert TorchreidHost.result(tmp_path).metrics == {"mAP": 50.0}


@pytest.mark.slow
def test_a_trained_network_is_only_tested(finished, tmp_path):
    """Killed between the last epoch and its test."""
    table, results, _ = finished
    folder = tmp_path / "reid" / "first" / "seed0"
    checkpoint(folder, EPOCHS).parent.mkdir(parents=True)
    checkpoint(folder, EPOCHS).write_bytes(checkpoint(results / "reid" / "first" / "seed0", EPOCHS).read_bytes())
    assert main(arguments(table, tmp_path, *SMALL)) == 0
    assert not list(folder.glob("train.log-*"))
    assert measured(folder) == measured(results / "reid" / "first" / "seed0")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "frist"], "--rows frist: no such row of pets (did you mean 'first'?)"),
        (["train.max_epoh=3"], "train.max_epoh: '3': unknown key (did you mean 'train.max_epoch'?)"),
        (["train.seed=5"], "command line: train.seed: has no effect here; give --seeds"),
        (["data.save_dir=here"], "command line: data.save_dir: has no effect here; give --results"),
        (["train.max_epoch"], "train.max_epoch: expected a value after it, or train.max_epoch=VALUE"),
        (["--root", "/nonexistent"], "Expected, with --root /nonexistent"),
        (["--table", "leaderbord"], "leaderbord: no such configuration"),
    ],
)
def test_mistakes(table, tmp_path, capsys, more, message):
    """One message, status 2, before anything is started."""
    assert main(arguments(table, tmp_path / "results", *more)) == 2
    errors = capsys.readouterr().err
    assert message in errors and "Traceback" not in errors and not (tmp_path / "results").exists()


@pytest.mark.slow
def test_a_failed_run_does_not_stop_the_others(table, tmp_path):
    damaged = checkpoint(tmp_path / "reid" / "first" / "seed0", 1)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no checkpoint")
    opts = [*SMALL[:-1], "train.max_epoch=1"]
    command = arguments(table, tmp_path, "second", "--seeds", "0", *opts)
    out = programs.leaderboard("reid_ext", *command[1:], expect=1).stdout
    assert "1 finished, 0 already finished, 1 failed" in out
    assert "failed: first seed 0: exit status 2: reid-ext: error: " in out and "damaged, cut short" in out


@pytest.mark.parametrize("name", ["resnet50_stra", "resnet50_nonlocal", "mobilenetv2_x1_0_ls1"])
def test_complexity_is_the_one_that_is_tested(name):
    counted = complexity(name)
    millions, giga = COMPLEXITY[name]
    assert counted.macs / 1e9 == pytest.approx(giga, rel=0.01)
    assert millions is None or counted.parameters / 1e6 == pytest.approx(millions, rel=0.01)


def test_the_page_of_models(tmp_path, capsys):
    """No drift; after a change run `reid-ext leaderboard models`. A small network is counted again."""
    assert models_page.same_but_for_counting(TorchreidHost, tmp_path)
    configs = models_page.small_configs(tmp_path / "configs", "reid/pets_mobilenetv2_stra.yaml")
    command = ["leaderboard", "models", "--configs", str(configs), "--output", str(tmp_path / "small.md")]
    assert main(command) == 0
    lines = models_page.lines_of_models(tmp_path / "small.md")
    assert len(lines) == 1 and set(lines) <= set(models_page.lines_of_models(models_page.PAGE))
    (configs / "data.yaml").write_text("data: []")
    assert main(command) == 2
    assert "no entry fits reid/pets_mobilenetv2_stra" in capsys.readouterr().err


def test_a_row_sets_keys_of_its_configuration(table, tmp_path):
    """In Python's own writing, as torchreid's command line has it; the user's settings come after."""
    row = Row("a", "A", config="reid/pets_mobilenetv2_stra", set={"train.open_layers": ["conv9"], "train.lr": 0.5})
    job = Job(row, 3, tmp_path)
    host = TorchreidHost(Namespace(data=str(ROOT / "tests" / "data" / "pets-mini")), {"train.lr": "0.25"})
    (merged,) = host.merged([job])
    assert (merged["train.open_layers"], merged["train.lr"], merged["train.seed"]) == (["conv9"], 0.25, 3)
    command = host.next_command(job, merged)
    assert command[command.index("train.open_layers") + 1] == "['conv9']"


def test_a_warm_start_takes_the_weights_of_the_row_it_starts_from(tmp_path):
    """Its last epoch's, unless the user names others; without any it is refused; a run goes on from its own."""
    first, row = tmp_path / "first", Row("warm", "", config="reid/pets_mobilenetv2_stra")
    job = Job(row, 1, tmp_path / "warm", Job(replace(row, name="first"), 1, first))
    host = TorchreidHost(Namespace(data=str(ROOT / "tests" / "data" / "pets-mini")))
    (merged,) = host.merged([job])
    with pytest.raises(KpstraError, match=r"the weights of first seed 1, from which it starts, are gone; model\.load_"):
        host.next_command(job, merged)
    for path in (checkpoint(first, 1), checkpoint(first, EPOCHS), checkpoint(job.folder, 1)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert host.next_command(job, merged)[-2:] == ["model.resume", str(checkpoint(job.folder, 1))]
    checkpoint(job.folder, 1).unlink()
    assert host.next_command(job, merged)[-2:] == ["model.load_weights", str(checkpoint(first, EPOCHS))]
    given = TorchreidHost(host.options, {"model.load_weights": "mine.pth"}).next_command(job, merged)
    assert given.count("model.load_weights") == 1 and given[given.index("model.load_weights") + 1] == "mine.pth"


def test_what_the_page_says_of_a_rate_that_falls_along_a_cosine():
    row = Row("swin_tiny_kprpe", "", config="reid/swin_tiny_kprpe")
    assert TorchreidHost.describe(row).schedule == "120 epochs in batches of 64; sgd 0.0008, cosine to 0"


def test_of_a_single_target_the_metrics_have_their_own_names_alone(tmp_path):
    Results({"market1501": {"mAP": 0.5}}).write(tmp_path)
    assert TorchreidHost.result(tmp_path).metrics == {"mAP": 50.0}
