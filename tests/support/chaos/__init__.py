"""Real faults for real runs: a link that misbehaves, a seeded schedule, and an arena in which a training goes on."""
