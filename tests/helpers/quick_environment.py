"""torchreid's report of the environment without the list of pip's packages, which takes a second and a half a run."""

from torch.utils import collect_env

collect_env.get_pip_packages = lambda run_lambda, patterns=None: ("pip3", "")
