"""What a sweep takes where nothing else is given; apart from the rest, which takes long to import, for the help."""

TRIALS = 20
SAMPLER = "random"
PRUNE_AFTER = 5
AT_ONCE = 1
# Snapshots of every parameter take more room than all the rest, and sweeps are many runs.
SETTINGS = {"snapshot_first": 0, "snapshot_every": 0}
