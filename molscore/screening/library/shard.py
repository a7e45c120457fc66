"""A share of a job's parts, for one of several processes or machines."""

from typing import NamedTuple

from molscore.errors import InputError

__all__ = ["WHOLE", "Shard"]


class Shard(NamedTuple):
    """The i-th of n shares: every n-th part, so that slow stretches of a library are shared by all."""

    index: int
    """From 1."""
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Shard of ``i/n``; raises `InputError` for anything else."""
        index, _, of = text.partition("/")
        if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of)):
            raise InputError(f"a shard is i/n with i from 1 to n, such as 3/8, not {text!r}")
        return cls(int(index), int(of))

    def owns(self, part: int) -> bool:
        """Whether a part, counted from 0, is one of this share."""
        return part % self.of == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


WHOLE = Shard(1, 1)
