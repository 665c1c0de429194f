"""`opengait-ext leaderboard` on small data: two seeds, a SIGKILL in the middle, the report, the models."""

import json
import re
import shutil
import signal
import statistics

import models_page
import programs
import pytest
import yaml
from gait_data import EMBEDDED, write_data
from web_page import read_page

from opengait_ext.benchmarks.leaderboard import OpenGaitHost

TOTAL = 4
SMALL = [
    f"trainer_cfg.total_iter={TOTAL}",
    "trainer_cfg.save_iter=1",
    "trainer_cfg.log_iter=1",
    "trainer_cfg.sampler.frames_num_fixed=3",
    "trainer_cfg.sampler.frames_skip_num",
    "1",
]
METRICS = {"Rank-1": "rank-1", "mAP": "mAP", "mINP": "mINP"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small data and a table: a network, one that starts from its weights, one with keypoints, and a published row."""
    root = write_data(tmp_path_factory.mktemp("gait"))
    rows = [
        {"name": "others", "config": None, "paper": {"mAP": 12.5}},
        {"name": "plain", "config": "opengait/pets_swingait2d", "paper": {"mAP": 58.76}},
        {"name": "warm", "config": "opengait/pets_swingait2d", "warm_start": "plain"},
        {"name": "kprpe", "config": "opengait/pets_swingait2d_kprpe"},
    ]
    section = {"title": "small", "metrics": METRICS, "data": str(root / "data"), "rows": rows}
    (root / "table.yaml").write_text(yaml.dump({"gait": section}))
    return root


def arguments(data, results, *more, settings=SMALL):
    options = {"--table": data / "table.yaml", "--results": results, "--host": EMBEDDED, "--device": "cpu"}
    partition = f"data_cfg.dataset_partition={data / 'partition.json'}"
    return ["run", *(str(word) for option in options.items() for word in option), *more, *settings, partition]


def done(*argv, **options):
    """Run a command in a process of its own, as hosts' modules are global; check its exit status."""
    return programs.leaderboard("opengait_ext", *argv, **options)


def run_of(results, name, seed):
    return results / "gait" / name / f"seed{seed}"


def logs(folder):
    return sorted(folder.glob("output/*/*/*/logs/*.txt"))


def metrics_of(folder):
    """The metrics that a run's test wrote."""
    (path,) = folder.glob("output/*/*/*/logs/test-*.json")
    return json.loads(path.read_text())["metrics"]


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """Two seeds of a row; the runner is killed in the second, in the middle of training, and started again."""
    results = tmp_path_factory.mktemp("results")
    argv = arguments(data, results, "--rows", "plain", "--seeds", "0", "1")
    first, second = run_of(results, "plain", 0), run_of(results, "plain", 1)
    done(*argv, when=lambda: OpenGaitHost.checkpoints(second), expect=-signal.SIGKILL)
    assert OpenGaitHost.result(second) is None
    complete = {
        path: path.stat().st_mtime_ns
        for path in [*first.rglob("*"), OpenGaitHost.checkpoints(second)[1]]
        if path.is_file() and path.name != ".lock"
    }
    done(*argv)
    assert complete == {path: path.stat().st_mtime_ns for path in complete}
    return results, argv


@pytest.mark.slow
def test_a_killed_runner_goes_on_and_repeats_nothing(finished):
    results, argv = finished
    first, second = run_of(results, "plain", 0), run_of(results, "plain", 1)
    assert list(OpenGaitHost.checkpoints(second)) and max(OpenGaitHost.checkpoints(second)) == TOTAL
    assert len(logs(first)) == 2 and len(logs(second)) >= 2
    went_on = [re.search(r"'restore_hint': (\d+)", log.read_text())[1] for log in logs(second)]
    assert went_on.count("0") <= 1 and went_on[-1] == str(TOTAL)
    assert "0 finished, 2 already finished, 0 failed" in done(*argv).stdout


@pytest.mark.slow
def test_the_seeds_are_given_to_the_host(finished):
    results, _ = finished
    for seed in (0, 1):
        assert all(
            f"'seed': {seed}" in log.read_text()
            for log in logs(run_of(results, "plain", seed))
            if "'total_iter'" in log.read_text()
        )


@pytest.mark.slow
def test_the_report_is_what_the_logs_say(data, finished, tmp_path):
    results, _ = finished
    table = str(data / "table.yaml")
    report = done("report", "--table", table, "--results", str(results), "--output", str(tmp_path))
    assert "1 of 4 rows measured" in report.stdout
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    label = rows[0].index("model")  # no row is of a paper's table: there is no such column
    assert [row[label] for row in rows[2:]] == ["others", "plain", "warm", "kprpe"]
    runs = [metrics_of(run_of(results, "plain", seed)) for seed in (0, 1)]
    assert all(run.keys() == {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"} for run in runs)
    for metric, heading in METRICS.items():
        column, values = rows[0].index(f"{heading} measured"), [run[metric] for run in runs]
        shown = [float(number) for number in re.findall(r"[\d.]+", rows[3][column])]
        assert shown == pytest.approx([statistics.fmean(values), statistics.stdev(values)], abs=0.0051)
        assert [row[column] for row in (rows[2], rows[4])] == ["paper only", "not measured"]
    assert rows[3][rows[0].index("mAP paper")] == "58.76" and rows[3][rows[0].index("MACs measured (G)")] == "1.327"


@pytest.mark.slow
def test_a_run_ends_with_a_page(finished):
    """Of all rows, with the curves, every command of every run, and the host's version."""
    results, _ = finished
    page = read_page(results / "gait" / "report.html")
    (table,) = page.tables["results"]
    assert [row[0] for row in table] == ["model", "others", "plain", "warm", "kprpe"] and "±" in table[2][2]
    assert len(page.pictures) == 1 and page.headings[-1] == "Versions"
    trainings, tests = ([line for line in page.pre if f"--phase {phase}" in line] for phase in ("train", "test"))
    assert len(page.pre) >= 4 and len(trainings) <= 2 == len(tests) and "trainer_cfg.seed=0" in page.pre[0]
    (versions,) = page.tables["versions"]
    assert ["OpenGait", "embedded, commit unknown"] in versions and "torch" in dict(versions)
    curves = OpenGaitHost.curves(run_of(results, "plain", 0))
    assert curves.keys() == {"triplet loss", "softmax loss"}
    assert all(curve.steps == list(range(1, TOTAL + 1)) for curve in curves.values())


@pytest.mark.slow
def test_a_test_of_another_checkpoint_is_no_result(finished, tmp_path):
    """Only the weights with which training ended count."""
    results, _ = finished
    folder = tmp_path / "run"
    shutil.copytree(run_of(results, "plain", 0), folder)
    assert OpenGaitHost.result(folder).metrics == metrics_of(folder)
    (path,) = folder.glob("output/*/*/*/logs/test-*.json")
    path.rename(path.with_name(path.name.replace(f"-{TOTAL:05d}", "-00002")))
    assert OpenGaitHost.result(folder) is None


@pytest.mark.slow
def test_a_warm_start_follows_the_row_it_starts_from(data, tmp_path):
    """The row it needs is trained first, and its weights are taken."""
    short = [*SMALL[2:], "trainer_cfg.total_iter=1"]
    said = done(*arguments(data, tmp_path, "--rows", "warm", "--seeds", "3", settings=short)).stdout
    assert re.findall(r"\] (\w+) seed 3: finished", said) == ["plain", "warm"]
    weights = OpenGaitHost.checkpoints(run_of(tmp_path, "plain", 3))[1]
    assert f"Restore Parameters from {weights} !!!" in logs(run_of(tmp_path, "warm", 3))[0].read_text()


@pytest.mark.slow
def test_a_failed_run_does_not_stop_the_others(data, tmp_path):
    """One row sets another number of keypoints than the data has."""
    table = yaml.safe_load((data / "table.yaml").read_text())
    table["gait"]["rows"][-1]["set"] = {"model_cfg.kprpe.num_keypoints": 16}
    (tmp_path / "table.yaml").write_text(yaml.dump(table))
    short = [*SMALL[2:], "trainer_cfg.total_iter=1"]
    argv = arguments(data, tmp_path, "--rows", "kprpe", "plain", "--table", tmp_path / "table.yaml", settings=short)
    said = done(*map(str, argv), expect=1).stdout
    assert "1 finished, 0 already finished, 1 failed" in said
    assert re.search(r"failed: kprpe seed 0: exit status 2: .*error: .*keypoints", said)


@pytest.mark.slow
def test_runs_begin_anew(data, tmp_path):
    """The command that the runner starts, without forks."""
    wrong = [*SMALL, "model_cfg.kprpe.num_keypoints=16"]
    said = done(*arguments(data, tmp_path, "--rows", "kprpe", settings=wrong), spawn=True, expect=1).stdout
    assert re.search(r"failed: kprpe seed 0: exit status 2: .*error: .*keypoints", said)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "kprp"], "--rows kprp: no such row of small (did you mean 'kprpe'?)"),
        (["--rows", "others"], "--rows others: a published number only"),
        (["--data", "nowhere"], "'nowhere': no such folder; give the output of `opengait-ext prepare`"),
        (["--rows", "plain", "trainer_cfg.totl_iter=3"], "trainer_cfg.totl_iter: unknown key (did you mean 'total_it"),
        (["trainer_cfg.seed=5"], "command line: trainer_cfg.seed: has no effect here; give --seeds"),
        (["evaluator_cfg.restore_hint=2"], "evaluator_cfg.restore_hint: has no effect here; the last"),
        (["--host", "/nonexistent"], "not an OpenGait folder"),
    ],
)
def test_mistakes(data, tmp_path, more, message):
    """One message, status 2, before anything is started."""
    process = done(*arguments(data, tmp_path / "results", *more), expect=2)
    assert message in process.stderr and len(process.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_the_page_of_models(tmp_path):
    """No drift; after a change run `opengait-ext leaderboard models`. Small networks are counted again."""
    assert models_page.same_but_for_counting(OpenGaitHost, tmp_path)
    names = ("opengait/walkers_swingait2d_kprpe.yaml", "opengait/walkers_swingait2d.yaml", "leaderboard_walkers.yaml")
    configs = models_page.small_configs(tmp_path / "configs", *names)
    done("models", "--configs", str(configs), "--output", str(tmp_path / "small.md"))
    lines = models_page.lines_of_models(tmp_path / "small.md")
    assert len(lines) == 19 and set(lines) <= set(models_page.lines_of_models(models_page.PAGE))
