"""The shipped configurations, installed as the package ``kpstra_configs`` (see ``plugins.files.resolve_config``)."""
