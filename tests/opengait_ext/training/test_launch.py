"""Whole runs of ``python -m opengait_ext``: train, test, resume, several processes, both hosts."""

import json
import os
import pickle
import re
import subprocess

import pytest
import torch
from gait_data import EMBEDDED, OPENGAIT, checkpoint, command, losses, metrics, run, write_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

WITH_CHECKOUT = pytest.mark.skipif(OPENGAIT is None, reason="OPENGAIT_HOME is not set: no OpenGait checkout to run")
HOSTS = [EMBEDDED, pytest.param(OPENGAIT, marks=WITH_CHECKOUT, id="opengait")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("gait"))


def same_weights(a, b) -> bool:
    a, b = (torch.load(path, weights_only=True)["model"] for path in (a, b))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("host", HOSTS)
def test_train_then_test(data, host):
    """Training logs losses and an ETA, writes checkpoint and TensorBoard; testing logs Gait3D's metrics."""
    workdir = "checkout" if host == OPENGAIT else "embedded"
    trained = run(data, "trainer_cfg.total_iter=3", host=host, workdir=workdir)
    assert len(losses(trained)) == 3 and "ETA 0:00:0" in trained.stderr
    assert f"Host: {'opengait' if host == OPENGAIT else 'embedded'} (" in trained.stderr
    path = checkpoint(data, 3, workdir=workdir)
    events = EventAccumulator(str(path.parents[1] / "summary")).Reload()
    assert [event.step for event in events.Scalars("learning_rate")] == [1, 2, 3]
    assert len(events.Images("keypoints")) == len(events.Images("bias")) == 3
    done = run(data, "--phase", "test", "--iter", "3", host=host, workdir=workdir)
    tested = metrics(done)
    assert tested.keys() == {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"} and "np.float" not in done.stderr
    assert 0 < tested["mINP"] <= tested["mAP"] <= 100
    written = json.loads((path.parents[1] / "logs" / f"test-{path.stem}.json").read_text())
    assert written["metrics"] == pytest.approx(tested, abs=0.0051) and written["eval_func"] == "evaluate_Gait3D"


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_resume_is_exact(data, host, workers, request):
    """4 iterations, and 2 then 2 more in a new process with other workers, end with the same weights."""
    name = f"resume-{workers}-{host == OPENGAIT}"
    total = ("trainer_cfg.total_iter=4", "trainer_cfg.save_iter=2")
    run(data, *total, f"data_cfg.num_workers={workers}", host=host, workdir=name)
    run(data, "trainer_cfg.total_iter=2", "trainer_cfg.save_iter=2", host=host, workdir=f"{name}-again")
    run(data, *total, "--iter", "2", "data_cfg.num_workers=1", host=host, workdir=f"{name}-again")
    assert same_weights(checkpoint(data, 4, workdir=name), checkpoint(data, 4, workdir=f"{name}-again"))
    assert not same_weights(checkpoint(data, 2, workdir=name), checkpoint(data, 4, workdir=name))


@pytest.mark.slow
def test_resume_is_exact_where_the_rates_fall_in_every_iteration(data):
    """With rates of their own for heads and trunk; the rates fall."""
    rates = (
        "trainer_cfg.iteration_per_epoch=1",
        "trainer_cfg.T_max_iter=4",
        "optimizer_cfg.lr_factors={heads: 3, trunk: 2}",
    )
    total = (*rates, "trainer_cfg.total_iter=4", "trainer_cfg.save_iter=2")
    run(data, *total, workdir="rates")
    run(data, *total[:-2], "trainer_cfg.total_iter=2", workdir="rates-again")
    run(data, *total, "--resume", workdir="rates-again")
    whole = checkpoint(data, 4, workdir="rates")
    assert same_weights(whole, checkpoint(data, 4, workdir="rates-again"))
    events = EventAccumulator(str(whole.parents[1] / "summary")).Reload()
    shares = [event.value / 0.001 for event in events.Scalars("learning_rate")]
    assert shares == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-5)


@pytest.mark.slow
def test_torchrun(data):
    """Two processes as a user starts them train, and one logs."""
    python, *line = command(data, "trainer_cfg.total_iter=2", workdir="torchrun")
    torchrun = (python, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    trained = subprocess.run([*torchrun, *line[2:]], capture_output=True, text=True, timeout=300, env=environment)
    assert trained.returncode == 0, trained.stderr[-4000:]
    assert len(losses(trained)) == 2 and "processes: 2" in trained.stderr


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_two_processes(data, host):
    """Two gloo processes train and test; testing gives the same metrics as one process does."""
    workdir = f"two-{host == OPENGAIT}"
    trained = run(data, "trainer_cfg.total_iter=2", host=host, processes=2, workdir=workdir)
    assert len(losses(trained)) == 2 and "processes: 2" in trained.stderr
    two = metrics(run(data, "--phase", "test", "--iter", "2", host=host, processes=2, workdir=workdir))
    one = metrics(run(data, "--phase", "test", "--iter", "2", host=host, workdir=workdir))
    assert two == pytest.approx(one, abs=1e-3) and len(one) == 5


@WITH_CHECKOUT
def test_hosts_agree(data):
    """The same YAML, seed and data: the same losses for 20 iterations in both hosts, and the same test metrics."""
    settings = ("trainer_cfg.total_iter=20", "trainer_cfg.sampler.frames_num_fixed=4")
    embedded = run(data, *settings, host=EMBEDDED, workdir="agree-embedded")
    checkout = run(data, *settings, host=OPENGAIT, workdir="agree-checkout")
    assert len(losses(embedded)) == 20
    torch.testing.assert_close(torch.tensor(losses(embedded)), torch.tensor(losses(checkout)), atol=2e-4, rtol=1e-4)
    tests = [
        metrics(run(data, "--phase", "test", "--iter", "20", host=host, workdir=f"agree-{name}"))
        for host, name in ((EMBEDDED, "embedded"), (OPENGAIT, "checkout"))
    ]
    assert tests[0] == pytest.approx(tests[1], abs=1e-2) and tests[0]


@WITH_CHECKOUT
@pytest.mark.parametrize("first, second", [(EMBEDDED, OPENGAIT), (OPENGAIT, EMBEDDED)], ids=["to", "from"])
def test_checkpoints_move(data, first, second):
    """A checkpoint of one host restores strictly in the other and gives the same metrics."""
    workdir = f"move-{first == EMBEDDED}"
    run(data, "trainer_cfg.total_iter=1", host=first, workdir=workdir)
    tests = (run(data, "--phase", "test", "--iter", "1", host=host, workdir=workdir) for host in (first, second))
    here, there = map(metrics, tests)
    assert here == pytest.approx(there, abs=1e-2) and here


@WITH_CHECKOUT
def test_host_stream_is_the_default(data):
    """Without trainer_cfg.seed both hosts still draw the same batches, as OpenGait's own main.py does."""
    settings = ("trainer_cfg.total_iter=3", "trainer_cfg.seed=null", "data_cfg.data_in_use=[true, false]")
    runs = [
        losses(run(data, *settings, config="opengait/pets_swingait2d", host=host, workdir=f"stream-{i}"))
        for i, host in enumerate((EMBEDDED, OPENGAIT))
    ]
    torch.testing.assert_close(torch.tensor(runs[0]), torch.tensor(runs[1]), atol=2e-4, rtol=1e-4)
    assert len(runs[0]) == 3


def test_warm_start(data):
    """restore_ckpt_strict false takes what fits by name and shape from another model, and lists the rest."""
    base = run(data, "trainer_cfg.total_iter=1", config="opengait/pets_swingait2d", workdir="warm")
    assert base.returncode == 0
    path = checkpoint(data, 1, "SwinGait2D", "SwinGait2D_small", "warm")
    warm = (
        "trainer_cfg.restore_ckpt_strict=false",
        f"trainer_cfg.restore_hint={path}",
        "trainer_cfg.total_iter=1",
        "trainer_cfg.optimizer_reset=true",
        "trainer_cfg.scheduler_reset=true",
        "model_cfg.SeparateBNNecks.class_num=5",
    )
    done = run(data, *warm, workdir="warm")
    assert re.search(r"left out, of another shape: BNNecks.fc_bin \(16, 32, 4\) here \(16, 32, 5\)", done.stderr)
    assert re.search(r"not in this model: .*relative_position_bias_table", done.stderr)
    assert re.search(r"kept as they were: .*kprpe.table_bias", done.stderr)
    refused = run(data, f"trainer_cfg.restore_hint={path}", workdir="warm-strict", expect=2)
    assert "not a checkpoint of SwinGait2DKPRPE" in refused.stderr and "restore_ckpt_strict: false" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_random_weights_are_not_tested_in_silence(data):
    done = run(data, "--phase", "test", "evaluator_cfg.restore_hint=0", workdir="random")
    assert "[WARNING]: evaluator_cfg.restore_hint: 0: random weights are tested" in done.stderr


@WITH_CHECKOUT
def test_an_evaluation_of_another_data_set_is_refused_before_features_are_extracted(data):
    done = run(
        *(data, "--phase", "test", "evaluator_cfg.restore_hint=0", "evaluator_cfg.eval_func=evaluate_real_scene"),
        host=OPENGAIT,
        expect=2,
    )
    assert "evaluate_real_scene cannot evaluate data_cfg.test_dataset_name 'pets-mini'" in done.stderr
    assert "Transforming" not in done.stderr and "Traceback" not in done.stderr


MISTAKES = {
    "trainer_cfg.sampler.type=Triplet": "sampler.type: 'Triplet' is not one of TripletSampler, CommonSampler",
    "trainer_cfg.sampler.sample_type=fixed": "trainer_cfg.sampler.sample_type: 'fixed' is not one of fixed_ordered, ",
    "trainer_cfg.sampler.batch_size=[5, 2]": "5 identities in a batch, but the training set has 4",
    "data_cfg.dataset_root=nowhere": "data_cfg.dataset_root: 'nowhere': no such folder",
    "trainer_cfg.totl_iter=3": "trainer_cfg.totl_iter: unknown key (did you mean 'total_iter'?)",
    "model_cfg.kprpe.grid=windw": "model_cfg.kprpe.grid: 'windw' is not one of window, image (did you mean 'window'?)",
    "model_cfg.model=SwinGait2DKPRP": "model_cfg.model: 'SwinGait2DKPRP': no such model",
    "model_cfg.SeparateBNNecks.class_num=3": "the training set has 4 identities",
    "evaluator_cfg.eval_func=evaluate_Gait3d": "(did you mean 'evaluate_Gait3D'?)",
    "trainer_cfg.restore_hint=7": "no such checkpoint file",
    "data_cfg.data_in_use=[true, false]": "2 transforms for data of 1 modalities",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_mistakes(data, override, tmp_path):
    """One line that names the key and the value, status 2, no traceback, nothing written."""
    done = run(data, override, workdir=str(tmp_path / "run"), expect=2)
    assert MISTAKES[override] in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.pt"))


class Malicious:
    """Unpickled, it makes a folder."""

    def __init__(self, target) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("workers, phase", [(0, "train"), (2, "train"), (0, "test")])
def test_no_code_in_sequence_files_is_run(tmp_path, host, workers, phase):
    """The file is refused by name, in one line, also when a worker process read it; also with a cache."""
    data, made = write_data(tmp_path, frames=4), tmp_path / "made"
    for path in (data / "data").rglob("1_keypoints.pkl"):
        path.write_bytes(pickle.dumps(Malicious(made)))
    cached = f"data_cfg.cache={'true' if workers == 0 else 'false'}"
    options = ("--phase", phase, "evaluator_cfg.restore_hint=0", f"data_cfg.num_workers={workers}", cached)
    done = run(data, *options, host=host, expect=2)
    assert re.search(
        r"^opengait-ext: error: \S+1_keypoints.pkl: .* it wants posix.mkdir, which no array needs$",
        done.stderr,
        re.MULTILINE,
    )
    assert not made.exists() and "Traceback" not in done.stderr and not list(tmp_path.rglob("*.pt"))


def test_no_code_in_checkpoints_is_run(data, tmp_path):
    """weights_only: a checkpoint that wants more is refused by name."""
    path = tmp_path / "bad.pt"
    torch.save({"model": Malicious(tmp_path / "made")}, path)
    done = run(data, f"trainer_cfg.restore_hint={path}", workdir="bad", expect=2)
    assert "bad.pt: refused, because it holds" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "made").exists()
