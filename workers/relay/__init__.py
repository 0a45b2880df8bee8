"""The relay: a worker to its coordinator, and a coordinator to the processes of its machine.

It has a connection to the coordinator, or to a relay above it, and in an exchange one to each other member. It gets the
parameters once for all its processes, and answers with one vector a block: the sums are formed here, along the same
tree. `relay` decides, `below` has the round over its share, `group` the processes, `exchange` and `connections` the
exchange, `worker` the rest: connection, clock, signals.
"""
