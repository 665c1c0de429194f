"""The subcommands of ``opengait-ext``, one a file."""
