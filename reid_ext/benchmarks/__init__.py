"""Re-identification benchmarks: synthetic walkers, leaderboard, speed."""
