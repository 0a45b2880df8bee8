"""What `gradsum doctor` looks at: whether this machine can train, and reaches a coordinator."""
