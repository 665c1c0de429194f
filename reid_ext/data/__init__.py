"""Re-identification data: data sets and images, checked."""
