"""Backbones that `model_cfg.backbone_cfg.type` may name; the models here build their own."""
