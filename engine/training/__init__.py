"""The training of one run: from what was asked for to the trained network and its records."""
