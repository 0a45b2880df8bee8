"""What is found about one thing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`what` was looked at: it is `good`, as `text` says, or `text` says what is wrong and what to do."""

    what: str
    good: bool
    text: str

    def line(self) -> str:
        """Return it as a line for people."""
        return f"{self.what:<14} {'good' if self.good else 'LOOK'}  {self.text}"
