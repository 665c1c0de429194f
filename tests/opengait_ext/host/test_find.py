"""Finding a host folder, cloning one, and putting it on the import path."""

import subprocess
import sys
from pathlib import Path

import pytest

from opengait_ext.host import find as hosts
from opengait_ext.host.find import EMBEDDED, clone, find_host
from plugins.errors import KpstraError


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENGAIT_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def checkout(folder: Path) -> Path:
    """A folder of OpenGait's layout."""
    for part in ("opengait/modeling/base_model.py", "configs/default.yaml"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    return folder


def test_order(tmp_path, monkeypatch):
    """auto: OPENGAIT_HOME, then the clone of setup, then the embedded host; opengait: never the embedded one."""
    assert find_host() == hosts.Host(EMBEDDED, "embedded")
    with pytest.raises(KpstraError, match=r"opengait-ext setup.*OPENGAIT_HOME.*embedded"):
        find_host("opengait")
    cached = checkout(hosts.cache_folder())
    assert find_host().root == find_host("opengait").root == cached
    home = checkout(tmp_path / "home")
    monkeypatch.setenv("OPENGAIT_HOME", str(home / "opengait"))  # its code folder will do
    assert find_host() == hosts.Host(home, "opengait")
    assert find_host(str(EMBEDDED)).kind == "embedded"
    assert find_host("embedded").kind == "embedded"


def test_wrong_folder(tmp_path, monkeypatch):
    """A folder that is not OpenGait is named, with the file that it lacks; OPENGAIT_HOME is not passed over."""
    monkeypatch.setenv("OPENGAIT_HOME", str(tmp_path))
    with pytest.raises(KpstraError, match=f"OPENGAIT_HOME={tmp_path}.*base_model.py is missing"):
        find_host()


def test_setup(tmp_path, monkeypatch):
    """setup clones the pinned commit; without network it says what to do, and leaves nothing behind."""
    monkeypatch.setattr(hosts, "URL", str(tmp_path / "no-such-repository"))
    with pytest.raises(KpstraError, match=r"could not be cloned.*copy a clone.*OPENGAIT_HOME"):
        clone()
    assert not list(hosts.cache_folder().parent.iterdir())
    origin = checkout(tmp_path / "origin")
    git = ["git", "-C", str(origin), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(hosts, "URL", str(origin))
    monkeypatch.setattr(hosts, "COMMIT", commit)
    assert clone() == hosts.cache_folder() == clone()
    assert find_host() == hosts.Host(hosts.cache_folder(), "opengait")


def test_foreign_module(tmp_path):
    """A package of the user's called `utils` is named instead of being taken for OpenGait's."""
    (tmp_path / "utils.py").write_text("")
    program = (
        "import utils\nfrom opengait_ext.host.active import activate\nfrom opengait_ext.host.find import find_host\n"
        "from plugins.errors import KpstraError\n"
        "try:\n    activate(find_host('embedded'))\nexcept KpstraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert "a foreign package `utils` is imported from" in done.stdout, done.stderr


def test_only_needed_models_are_imported():
    """Activating a host and asking for one model imports that file alone."""
    program = (
        "import sys\nfrom opengait_ext.host.active import activate, model_class\n"
        "from opengait_ext.host.find import find_host\n"
        "model_class(activate(find_host('embedded')), 'DeepGaitV2')\n"
        "print([name for name in sys.modules if name.startswith('modeling.models.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "['modeling.models.deepgaitv2']", done.stderr  # gloo may print a line before
