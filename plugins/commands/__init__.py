"""The subcommands of ``python -m plugins``, one a file."""
