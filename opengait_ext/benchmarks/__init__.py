"""Gait benchmarks: synthetic walkers, robustness, leaderboard, speed."""
