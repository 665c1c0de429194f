"""Plugin modules for gait and person re-identification: pure torch, no host framework is imported here."""
