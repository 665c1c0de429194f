"""The version of kpstra: ``--version`` prints it and ``setup.py`` reads it here."""

VERSION = "0.1.0"
