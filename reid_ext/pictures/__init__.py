"""What StRA's modes look at, as maps."""
