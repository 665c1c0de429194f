"""What networks and ranking cost."""
