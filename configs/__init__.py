"""The shipped configurations; installed as ``kpstra_configs``, found by ``plugins.common.settings.resolve_config``."""
