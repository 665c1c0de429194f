"""The shipped configurations; installed as ``kpstra_configs``, found by ``plugins.common.files.resolve_config``."""
