"""Helpers that the host's other packages and its users import by name."""
from .common import (
    DDPPassthrough,
    MergeCfgsDict,
    NoOp,
    Odict,
    clones,
    config_loader,
    ddp_all_gather,
    get_attr_from,
    get_ddp_module,
    get_valid_args,
    init_seeds,
    is_array,
    is_bool,
    is_bool_list,
    is_dict,
    is_int,
    is_int_list,
    is_list,
    is_list_or_tuple,
    is_str,
    is_tensor,
    list2var,
    mkdir,
    np2var,
    params_count,
    run_device,
    ts2np,
    ts2var,
)
from .msg_manager import get_msg_mgr

__all__ = [
    "DDPPassthrough", "MergeCfgsDict", "NoOp", "Odict", "clones", "config_loader", "ddp_all_gather", "get_attr_from",
    "get_ddp_module", "get_msg_mgr", "get_valid_args", "init_seeds", "is_array", "is_bool", "is_bool_list", "is_dict",
    "is_int", "is_int_list", "is_list", "is_list_or_tuple", "is_str", "is_tensor", "list2var", "mkdir", "np2var",
    "params_count", "run_device", "ts2np", "ts2var",
]  # fmt: skip
