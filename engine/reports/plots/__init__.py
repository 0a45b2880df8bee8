"""Pictures of runs: one file a kind, each with its data (numpy only) and its figure apart; `style` writes the file.

These are the only files that know matplotlib, which is not installed with gradsum unless asked for: nothing imports
this package before a picture is wanted.
"""
