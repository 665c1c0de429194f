"""The sum of a model's losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from utils import Odict, get_attr_from, get_ddp_module, get_msg_mgr, get_valid_args, is_dict, is_tensor, run_device

from . import losses


class LossAggregator(nn.Module):
    """Losses by their ``log_prefix``, the name under which a model's ``training_feat`` gives their inputs.

    Args:
        loss_cfg: one loss's configuration, or a list of such.
    """

    def __init__(self, loss_cfg: Mapping | Sequence[Mapping]) -> None:
        super().__init__()
        configs = [loss_cfg] if is_dict(loss_cfg) else loss_cfg
        self.losses = nn.ModuleDict({cfg["log_prefix"]: self._build_loss_(cfg) for cfg in configs})

    def _build_loss_(self, loss_cfg: Mapping) -> nn.Module:
        loss = get_attr_from([losses], loss_cfg["type"])
        arguments = get_valid_args(loss, loss_cfg, ["type", "log_prefix", "gather_and_scale"])
        return get_ddp_module(loss(**arguments).to(run_device()))

    def forward(self, training_feats: Mapping[str, Mapping | Tensor]) -> tuple[Tensor, Odict]:
        """Return the weighted sum and what the log shows; a tensor instead of a loss's inputs is added as it is.

        Raises:
            ValueError: inputs for a loss that is not configured, or neither inputs nor a tensor.
        """
        total, info = 0.0, Odict()
        for name, features in training_feats.items():
            if name in self.losses:
                loss_func = self.losses[name]
                loss, values = loss_func(**features)
                info.update({f"scalar/{name}/{key}": value for key, value in values.items()})
                total = total + loss.mean() * loss_func.loss_term_weight
            elif is_tensor(features):
                info[f"scalar/{name}"] = features.mean()
                total = total + features.mean()
                get_msg_mgr().log_debug(f"training_feat.{name} is added to the loss as it is")
            else:
                raise ValueError(
                    f"training_feat.{name}: no loss with that log_prefix in loss_cfg, and no tensor; "
                    f"loss_cfg has {', '.join(self.losses)}"
                )
        return total, info
