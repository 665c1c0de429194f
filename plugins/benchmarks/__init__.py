"""Host-neutral data, runners and reports that show what the methods do and cost."""
