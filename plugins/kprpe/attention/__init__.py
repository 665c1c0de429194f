"""Attention under a KP-RPE bias: dense (ViT) and inside windows (Swin)."""
