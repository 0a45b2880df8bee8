"""An exchange among relays: each is sent a part of the parameters, and adds up that part of the sums of all.

Parameters: each member passes its part on to all others. Sums: a member answers a block without a vector, and
sends each of the others its part. Once every block is answered, each is told which answers count, adds its parts of
these along the tree, and sends the sum up. So a link carries two vectors each way, however many machines there are.

If anything goes wrong, the round is abandoned and the step repeated with whole vectors, as in a star; the bits are the
same. The members at fault are left out for some rounds. `roster` says who the members are, `round` keeps what they
sent, `exchanges` decides.
"""

MIN_MEMBERS = 4  # up to three machines a star is as fast, and the machines' links carry half as much
