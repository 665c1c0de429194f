"""The notebooks run: quickly with small settings, as they stand with the slow tests; what is kept of them is light."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
SMALL = {"kprpe_swin": "PEOPLE, STEPS, FRAMES = 2, 6, 2", "stra_torchreid": "EPOCHS, HEIGHT, WIDTH = 1, 64, 32"}
PICTURES = {"kprpe_swin": 3, "stra_torchreid": 3}
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name, tmp_path, monkeypatch, settings=None):
    """Run a notebook where it lies, as Jupyter does; ``settings`` come behind its cell of parameters."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = read(name)
    if settings:
        (at,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
        notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(settings))
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=600, startup_timeout=300, kernel_name="python3", resources=resources).execute()
    return notebook


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def text(notebook):
    return "\n".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def pictures(notebook):
    kinds = [key for output in outputs(notebook) for key in output.get("data", ()) if key.startswith("image/")]
    return len(kinds)


def check(name, notebook):
    """What a notebook is to show, whatever its settings."""
    assert pictures(notebook) == PICTURES[name]
    said = text(notebook)
    if name == "kprpe_swin":
        first, second = (
            float(share) for share in re.findall(r"largest difference between the windows: ([\d.]+)%", said)
        )
        assert first == 0.0 < 5.0 < second
        assert any("<input" in output["data"].get("text/html", "") for output in outputs(notebook) if "data" in output)
    else:  # the notebook's ranking is the engine's
        engine = re.search(r"^market1501 +([\d.]+)% +([\d.]+)%", said, re.MULTILINE).groups()
        assert re.search(r"mAP ([\d.]+)%, rank-1 ([\d.]+)%", said).groups() == engine


@pytest.mark.parametrize("name", ["kprpe_swin", pytest.param("stra_torchreid", marks=pytest.mark.slow)])
def test_a_notebook_runs_with_small_settings(name, tmp_path, monkeypatch):
    check(name, execute(name, tmp_path, monkeypatch, SMALL[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_as_it_stands(name, tmp_path, monkeypatch):
    check(name, execute(name, tmp_path, monkeypatch))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_shown_is_of_these_cells_and_light(name):
    """Outputs are kept so that a notebook is read without being run."""
    notebook = read(name)
    nbformat.validate(notebook)
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 400_000
    check(name, notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not re.search(r"/(home|root|work|Users)/|Traceback|Warning", text(notebook))


def test_there_are_notebooks():
    assert sorted(SMALL) == NOTEBOOKS
