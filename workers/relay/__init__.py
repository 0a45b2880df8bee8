"""The relay: a worker to its coordinator, and a coordinator to the processes of its machine.

It has one connection, gets the parameters once for all of them, and answers with one vector a block: the sums are
formed here, along the same tree. `relay` decides, `below` has the round over its share, `group` the processes, `worker`
the rest: connection, clock, signals.
"""
