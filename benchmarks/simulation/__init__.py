"""A cluster that is simulated: the program's own coordinator, relays and sessions, on a network and processors that are
models.
"""
