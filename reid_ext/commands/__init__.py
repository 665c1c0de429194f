"""The subcommands of ``reid-ext``, one a file."""
