"""Leaderboards without a host: the table of published rows, runs as child processes, reports, the page of models."""

from .host import Complexity, Host, Job, Result
from .table import Row, Section, read_table

__all__ = ["Complexity", "Host", "Job", "Result", "Row", "Section", "read_table"]
