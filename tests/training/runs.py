"""Runs for the tests of the loop, in processes of their own: `python -m tests.training.runs COMMAND CONFIG OUT`."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from molscore.training.config import TrainConfig
from molscore.training.loop import train


def read(path: str, **changes: object) -> TrainConfig:
    return TrainConfig.from_dict(json.loads(Path(path).read_text()) | changes)


def killed(path: str, out: str, kills: str) -> None:
    """Run in a child that is killed at random moments, so many times, then let one finish; print the steps reached."""
    config, rng, state = read(path, out=out), random.Random(0), Path(out) / "state.pt"
    for _ in range(int(kills)):
        child = started(config)
        for _ in range(rng.randint(1, 6)):
            wait_for_change(state)
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print("killed at", torch.load(state, weights_only=True)["step"], flush=True)
    os.waitpid(started(config), 0)


def started(config: TrainConfig) -> int:
    """Number of a child that carries on with a run."""
    child = os.fork()
    if child == 0:
        train(config, resume=True)
        os._exit(0)
    return child


def wait_for_change(path: Path) -> None:
    """Wait until another file has taken the place of `path`."""

    def identity() -> tuple[int, int] | None:
        return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None

    before = identity()
    while identity() == before:
        time.sleep(0.001)


def one_rank(path: str, out: str) -> None:
    """Train as one process of torchrun and leave this rank's weights."""
    checkpoint = train(read(path, out=out))
    torch.save(dict(checkpoint.network.state_dict()), Path(out) / f"rank{os.environ['RANK']}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"killed": killed, "one_rank": one_rank}[sys.argv[1]](*sys.argv[2:])
