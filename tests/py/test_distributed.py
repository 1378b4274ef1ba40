"""Training in two processes as torchrun starts them (gloo, on the loopback): the shards are the epoch, have one length, and a run that
goes on in mid-epoch ends with the same weights.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import microtome as mt
import pytest

torch = pytest.importorskip("torch")
EPOCHS, ITEMS = 2, 7


def launch(table, folder, *state, world=2):
    """Runs the processes to their end; returns what each saw."""
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("this PyTorch has no gloo")
    folder.mkdir()
    worker = Path(__file__).with_name("ddp_worker.py")
    running = [
        subprocess.Popen(
            [sys.executable, *map(str, (worker, table, folder, EPOCHS, *state))],
            env={**os.environ, "RANK": str(r), "WORLD_SIZE": str(world), "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for r in range(world)
    ]
    try:
        told = [p.communicate(timeout=300)[0] for p in running]
    finally:
        for p in running:
            p.kill()
    assert [p.returncode for p in running] == [0] * world, "\n".join(told)
    return [json.loads((folder / f"rank{r}.json").read_text()) for r in range(world)]


@pytest.fixture(scope="module")
def runs(cases, tmp_path_factory):
    """A run from beginning to end, and one that goes on from the middle of its last epoch."""
    folder = tmp_path_factory.mktemp("ddp")
    table = folder / "items.csv"
    mt.items.to_csv(cases[:ITEMS], table)
    whole = launch(table, folder / "whole")
    return folder, whole, launch(table, folder / "resumed", folder / "whole" / "state.pt")


def test_shards_make_up_the_epoch(runs):
    _, whole, _ = runs
    assert [tuple(r["shard"]) for r in whole] == [(0, 2), (1, 2)]
    assert whole[0]["batches"] == whole[1]["batches"] == 2
    orders = []
    for epoch in map(str, range(EPOCHS)):
        parts = [[i for batch in r["seen"][epoch] for i in batch] for r in whole]
        assert len(parts[0]) == len(parts[1])  # no process waits for one that has ended
        # Seven items in two shards of four: one comes twice, none is missing.
        assert set(parts[0] + parts[1]) == set(range(ITEMS))
        orders.append(parts)
    assert orders[0] != orders[1]


def test_processes_hold_the_same_weights(runs):
    folder, *_ = runs
    for run in ("whole", "resumed"):
        a, b = (torch.load(folder / run / f"weights{r}.pt") for r in range(2))
        # Batch normalisation counts for itself in each process; what is trained is shared.
        assert all(torch.equal(a[k], b[k]) for k in a if "running" not in k)


def test_a_resumed_run_is_the_whole_run(runs):
    folder, whole, resumed = runs
    last = str(EPOCHS - 1)
    for r in range(2):
        assert resumed[r]["seen"] == {last: whole[r]["seen"][last][1:]}
    a, b = (torch.load(folder / run / "weights0.pt") for run in ("whole", "resumed"))
    assert all(torch.equal(a[k], b[k]) for k in a)
