"""Pictures of people with their joints, whatever the host."""
