"""What a relay is told (events), and what it says is to be done (actions)."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.compute.sums import Sums
from engine.compute.tree import Block
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire import relays
from workers import session
from workers.relay.links import LinkAction, LinkEvent
from workers.session import Session


@dataclass(frozen=True)
class Connected:
    """There is a new connection above: to the coordinator if that is `home`, else to the relay that was joined."""

    home: bool = True


@dataclass(frozen=True)
class Tried:
    """The other relay was `reached`, or cannot be."""

    reached: bool


@dataclass(frozen=True)
class Told:
    """A message came from the coordinator while another relay is above."""

    message: m.Message


@dataclass(frozen=True)
class Came:
    """A message came from above."""

    message: m.Message
    payload: m.Frame | None = None


@dataclass(frozen=True)
class Prepared:
    """Data and processes for the job are there; its layout has `size` parameters and the digest `schema`.

    `proof`: of what this process computes, as any worker's. Other relays can reach it at `address`, with the public key
    `key` in hex; "": nowhere, and it reaches none.
    """

    schema: str
    size: int
    proof: str = ""
    address: str = ""
    key: str = ""


@dataclass(frozen=True)
class ProcessJoined:
    """A process below is ready for work, on the machine `host`; it may be one `via` another relay."""

    name: str
    pid: int
    host: str = ""
    via: str = ""


@dataclass(frozen=True)
class ProcessLeft:
    """A process below that was ready has left, for any reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Summed:
    """The sums of a block of the share are there. `seconds`: that its processes computed, divided by their number.

    So long it takes when all have equally much to do, which is what a share should be cut by. The time of the slowest
    would not do: where relays have joined, few shares can be cut into parts that are equal and whole blocks, so one
    would be taken for slow because its share was a bad one, and be given as bad a share again.

    `parts`: what each process did for it in training, by name.
    """

    block: Block
    sums: Sums
    seconds: float
    parts: Mapping[str, relays.Contribution]


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


Event = Connected | Tried | Told | Came | Prepared | ProcessJoined | ProcessLeft | Summed | Tick | LinkEvent


@dataclass(frozen=True)
class Greet:
    """Ask to join the coordinator; `session` is the time with it."""

    session: Session


@dataclass(frozen=True)
class Begin:
    """Begin a round below over the share of `work`; one that is not complete is given up."""

    work: m.Work
    parameters: Vector


@dataclass(frozen=True)
class Answer:
    """Send the sums of a block of `work` up; in an exchange without the gradient."""

    work: m.Work
    block: Block
    sums: Sums
    seconds: float


@dataclass(frozen=True)
class Close:
    """The processes below work no longer for the session that they were prepared for."""


@dataclass(frozen=True)
class Try:
    """Connect to the relay at `address`, with the public key `key`, besides the coordinator; then comes Tried."""

    address: str
    key: str


@dataclass(frozen=True)
class Join:
    """From now on the relay that was reached is above; then comes Connected."""


@dataclass(frozen=True)
class Return:
    """Let go of the relay that was reached, or is above; then, if it was above, comes Connected."""


@dataclass(frozen=True)
class Admit:
    """Let the relay with the public key `key` join."""

    key: str


@dataclass(frozen=True)
class Over:
    """The run is over."""


Action = Greet | Begin | Answer | Close | Try | Join | Return | Admit | Over | LinkAction | session.Action
