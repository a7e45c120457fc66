"""Runs for the tests of the loop, in processes of their own: `python -m tests.training.runs CONFIG FOLDER`.

One run is killed at random moments, twice, and then let finish (FOLDER/broken), one is that of two processes, as
torchrun would start them (FOLDER/pair). All are forked from one process that has done what is slow the first time.
"""

import json
import os
import random
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from molscore.training.config import TrainConfig
from molscore.training.loop import Processes, Trainer, train


def killed(config: TrainConfig) -> None:
    """Print the steps that were reached."""
    rng, state = random.Random(0), Path(config.out) / "state.pt"
    for _ in range(2):
        child = started(config)
        for _ in range(rng.randint(1, 4)):
            wait_for_change(state)
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(torch.load(state, weights_only=True)["step"], flush=True)
    os.waitpid(started(config), 0)


def started(config: TrainConfig, rank: str = "0") -> int:
    """Number of a child that trains, or carries on, and leaves its weights as OUT/rankRANK.pt."""
    child = os.fork()
    if child == 0:
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
        weights = dict(train(config, resume=True).network.state_dict())
        torch.save(weights, Path(config.out) / f"rank{rank}.pt")
        os._exit(0)
    return child


def wait_for_change(path: Path) -> None:
    """Wait until another file has taken the place of `path`."""

    def identity() -> tuple[int, int] | None:
        return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None

    before = identity()
    while identity() == before:
        time.sleep(0.001)


def pair(config: TrainConfig) -> None:
    """Train as two processes."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for child in [started(config, rank) for rank in ("0", "1")]:
        assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    settings = TrainConfig.from_dict(json.loads(Path(sys.argv[1]).read_text()))
    Trainer(settings, Processes(0, 1, torch.device("cpu")))
    for name, run in (("broken", killed), ("pair", pair)):
        run(replace(settings, out=f"{sys.argv[2]}/{name}"))
