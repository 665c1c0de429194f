"""Reports to look at: one HTML page with its pictures inside, made from tables, figures, settings and command lines."""

from .page import Page, Picture, Table, all_versions, write_page
from .scalars import Series, read_scalars

__all__ = ["Page", "Picture", "Series", "Table", "all_versions", "read_scalars", "write_page"]
