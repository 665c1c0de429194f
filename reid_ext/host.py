"""The installed torchreid, whichever layout it has; the only module that knows where it is.

``from reid_ext.host import torchreid`` works with the package index's 0.2.5 (upstream under ``torchreid.reid``,
re-exported as attributes) and with an upstream 1.4 checkout named by ``TORCHREID_HOME``. Reach everything as attributes
(``torchreid.models``): the first layout has no importable ``torchreid.models``.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

from plugins.errors import KpstraError


def _load() -> ModuleType:
    home = os.environ.get("TORCHREID_HOME")
    if home:
        if not (Path(home) / "torchreid" / "__init__.py").is_file():
            raise KpstraError(f"TORCHREID_HOME={home}: no torchreid/__init__.py; name a deep-person-reid checkout")
        sys.path.insert(0, home)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Cython evaluation")  # ours ranks as fast: training.ranking
            module = importlib.import_module("torchreid")
    except ImportError as error:
        raise KpstraError(f"torchreid cannot be imported ({error}): pip install 'kpstra[reid]'") from error
    if not hasattr(module, "models"):
        raise KpstraError(f"{module.__file__}: this torchreid has no models; versions 0.2.5 and 1.4 are supported")
    return module


torchreid = _load()
