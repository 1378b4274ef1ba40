"""One process of a DistributedDataParallel training, as torchrun starts it (RANK and WORLD_SIZE are set): run by test_distributed.py.

usage: ddp_worker.py ITEMS.csv FOLDER EPOCHS [STATE]    trains to the end, from STATE where one is given. Leaves in FOLDER rankN.json
(sample numbers of every batch by epoch), weightsN.pt, and state.pt of the middle of the last epoch.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import sys
from pathlib import Path

import microtome as mt
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def dataset(items):
    chain = mt.Chain(
        [
            mt.Normalize("image"),
            mt.RandomCrop(size=(8, 8, 8)),
            mt.RandomFlip(p=0.5),
            mt.RandomGaussianNoise(sigma=(0, 0.2), p=0.5),
        ]
    )
    # No shard: the process finds its own.
    return mt.torch.IterableDataset(items, chain, batch_size=2, shuffle=True, seed=3, threads=2)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(1, 4, 3),
        nn.BatchNorm3d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


def train(data, model, optimizer, epochs, path):
    """Sample numbers of every batch, by epoch. Rank 0 saves once in the middle of the last epoch."""
    seen = {}
    while data.loader.epoch < epochs:
        for batch in data.loader:
            x, y = mt.torch.tensors(batch)["image"], torch.as_tensor(batch["sex"])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            seen.setdefault(batch.epoch, []).append(batch.index.tolist())
            if (batch.epoch, batch.number) == (epochs - 1, 0) and distributed.get_rank() == 0:
                torch.save([data.state(), model.module.state_dict(), optimizer.state_dict()], path)
    return seen


def main():
    items, folder, epochs, state = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    torch.set_num_threads(1)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    data, model = dataset(mt.items.from_csv(items)), network()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    if state:
        place, weights, moments = torch.load(state[0], weights_only=False)
        model.load_state_dict(weights)
        optimizer.load_state_dict(moments)
        data.restore({**place, "rank": rank})  # a place names its shard; it is the same place in all
    seen = train(data, DistributedDataParallel(model), optimizer, epochs, folder / "state.pt")
    torch.save(model.state_dict(), folder / f"weights{rank}.pt")
    found = {"shard": data.loader.shard, "batches": len(data), "seen": seen}
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
    distributed.barrier()
    distributed.destroy_process_group()


main()
