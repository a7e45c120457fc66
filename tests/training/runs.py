"""Runs for the tests of the loop, in processes of their own: `python -m tests.training.runs COMMAND CONFIG OUT`."""

import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import torch

from molscore.training.config import TrainConfig
from molscore.training.loop import Processes, Trainer, train


def read(path: str, **changes: object) -> TrainConfig:
    """A configuration; what is slow the first time is done, for the children that are forked after."""
    config = TrainConfig.from_dict(json.loads(Path(path).read_text()) | changes)
    Trainer(config, Processes(0, 1, torch.device("cpu")))
    return config


def killed(path: str, out: str, kills: str) -> None:
    """Run in a child that is killed at random moments, so many times, then let one finish; print the steps reached."""
    config, rng, state = read(path, out=out), random.Random(0), Path(out) / "state.pt"
    for _ in range(int(kills)):
        child = started(config)
        for _ in range(rng.randint(1, 4)):
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


def pair(path: str, out: str) -> None:
    """Train as the two processes that torchrun would start, and leave the weights of each."""
    config = read(path, out=out)
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    children = []
    for rank in ("0", "1"):
        children.append(os.fork())
        if children[-1] == 0:
            os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
            torch.save(dict(train(config).network.state_dict()), Path(out) / f"rank{rank}.pt")
            os._exit(0)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"killed": killed, "pair": pair}[sys.argv[1]](*sys.argv[2:])
