"""The contract: every name of OpenGait that our code calls or overrides, with its parameters.

A host that lacks one, or whose parameters are others, is refused by that name before anything runs; else the mistake
would show as a crash in the middle of a run, or as an override that nobody calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType

from plugins.errors import KpstraError

from .find import COMMIT

ANY = None  # a name alone: a class or an object, whatever its parameters
MISSING = object()

Contract = Mapping[str, Mapping[str, tuple[str, ...] | None]]

CONTRACT: Contract = {  # module -> name in it -> the parameters that our code gives it, or takes where it overrides it
    "utils": {
        "get_msg_mgr": (),
        "init_seeds": ("seed",),
        "MergeCfgsDict": ("src", "dst"),
        "get_ddp_module": ("module", "find_unused_parameters"),
        "params_count": ("net",),
    },
    "utils.common": {"DDPPassthrough": ANY},
    "utils.msg_manager": {
        "MessageManager.init_manager": ("save_path", "log_to_file", "log_iter", "iteration"),
        "MessageManager.init_logger": ("save_path", "log_to_file"),
        "MessageManager.write_to_tensorboard": ("summary",),
        "MessageManager.log_info": (),
        "MessageManager.log_warning": (),
    },
    "data.dataset": {"DataSet": ("data_cfg", "training")},
    "data.collate_fn": {"CollateFn": ("label_set", "sample_config"), "CollateFn.__call__": ("batch",)},
    "data.sampler": {"TripletSampler": ("dataset", "batch_size")},
    "data.transform": {"get_transform": ("trf_cfg",)},
    "evaluation.evaluator": {
        "evaluate_Gait3D": ("data", "dataset", "metric"),
        "get_msg_mgr": (),
        "cuda_dist": ("x", "y", "metric"),
        "evaluate_rank": ("distmat", "p_lbls", "g_lbls"),
    },
    "modeling.losses": {"TripletLoss": ("margin",), "CrossEntropyLoss": ("scale",)},
    "modeling.base_model": {
        "BaseModel": ("cfgs", "training"),
        "BaseModel.build_network": ("model_cfg",),
        "BaseModel.get_loader": ("data_cfg", "train"),
        "BaseModel.get_optimizer": ("optimizer_cfg",),
        "BaseModel.get_scheduler": ("scheduler_cfg",),
        "BaseModel.fix_BN": (),
        "BaseModel.inputs_pretreament": ("inputs",),
        "BaseModel.train_step": ("loss_sum",),
        "BaseModel.save_ckpt": ("iteration",),
        "BaseModel.resume_ckpt": ("restore_hint",),
        "BaseModel.inference": ("rank",),
        "BaseModel.run_train": ("model",),
        "BaseModel.run_test": ("model",),
    },
}

MODELS_CONTRACT: Contract = {  # what the models of this package build on
    "modeling.models.swingait": {
        "SwinGait.build_network": ("model_cfg",),
        "SwinGait.forward": ("inputs",),
        "SwinGait.make_layer": ("block", "planes", "stride", "blocks_num", "mode"),
        "SwinTransformer3D": ("patch_size", "in_chans", "embed_dim", "depths", "num_heads", "window_size"),
        "SwinTransformerBlock3D.forward": ("x", "mask_matrix"),
        "WindowAttention3D.forward": ("x", "mask"),
        "SwinGait.get_optimizer": ("optimizer_cfg",),
        "adjust_learning_rate": ("optimizer", "iteration", "iteration_per_epoch", "T_max_iter"),
        "get_window_size": ("x_size", "window_size", "shift_size"),
    },
    "modeling.modules": {
        "BasicBlock2D": ANY,
        "SeparateFCs": ("parts_num", "in_channels", "out_channels"),
        "SetBlockWrapper": ANY,
    },
}

DEEPGAIT_CONTRACT: Contract = {  # what our DeepGaitV2s build on
    "modeling.base_model": {"BaseModel.init_parameters": ()},
    "modeling.models.deepgaitv2": {"DeepGaitV2.build_network": ("model_cfg",), "DeepGaitV2.forward": ("inputs",)},
}


def check_contract(
    module_of: Callable[[str], ModuleType], host: str, commit: str | None, contract: Contract = CONTRACT
) -> dict[str, ModuleType]:
    """Check that the host offers every name of ``contract``, with its parameters.

    Args:
        module_of: imports a module of the host by name.
        host: the host, for the message.
        commit: its commit, if known, for the message.

    Returns:
        The modules by name.

    Raises:
        KpstraError: the first name that is missing, or whose parameters are others.
    """
    modules = {name: module_of(name) for name in contract}
    advice = f"tested with OpenGait {COMMIT[:7]}, this is {commit[:7] if commit else 'of an unknown commit'}"
    for module, names in contract.items():
        for name, expected in names.items():
            wrong = _difference(modules[module], name, expected)
            if wrong:
                raise KpstraError(f"{host}: {module}.{name} {wrong}; {advice}: `opengait-ext setup` clones that one")
    return modules


def _difference(module: ModuleType, name: str, expected: tuple[str, ...] | None) -> str:
    """Return how ``name`` differs from what is expected; an empty string if it does not."""
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, MISSING)
        if found is MISSING:
            return "is missing"
    if expected is ANY:
        return ""
    parameters = [p for p in inspect.signature(found).parameters.values() if p.name != "self"]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = {p.name for p in parameters if p.default is p.empty and p.name in names}
    # classes are built by keyword; functions are called by position, or overridden
    fits = set(expected) <= set(names) if inspect.isclass(found) else names[: len(expected)] == list(expected)
    if fits and required <= set(expected):
        return ""
    return f"takes ({', '.join(names)}), expected ({', '.join(expected)})"
