"""PyTorch: a loader as an IterableDataset, which shard a process of torchrun has, and losses. Importing this imports torch.
SPDX-License-Identifier: Apache-2.0
"""

import os

import torch
from torch.utils.data import IterableDataset as _IterableDataset, get_worker_info

from .errors import InvalidError
from .loader import Loader
from .losses import (
    DeepSupervision,
    DiceCELoss,
    DiceLoss,
    FocalLoss,
    WeightedCrossEntropy,
    median_frequency_weights,
)

__all__ = [
    "DeepSupervision",
    "DiceCELoss",
    "DiceLoss",
    "FocalLoss",
    "IterableDataset",
    "WeightedCrossEntropy",
    "median_frequency_weights",
    "shard",
    "tensors",
]


def shard():
    """(rank, world) of this process: of torch.distributed where it is initialised, else of the environment variables RANK and
    WORLD_SIZE that torchrun sets, else (0, 1). Errors: ValueError (one of the two is missing or no number)."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None and world is None:
        return 0, 1
    try:
        pair = int(rank), int(world)
    except (TypeError, ValueError):
        raise InvalidError(f"RANK is {rank!r} and WORLD_SIZE {world!r}; both must be numbers") from None
    if not 0 <= pair[0] < pair[1]:
        raise InvalidError(f"RANK {rank} does not lie in 0 … WORLD_SIZE {world} − 1")
    return pair


def tensors(batch):
    """A batch as a plain dict of tensors that share its memory; fields that are no arrays stay lists."""
    return {name: _tensor(value) for name, value in batch.items()}


def _tensor(value):
    if hasattr(value, "__dlpack__"):
        return torch.from_dlpack(value)
    return [_tensor(v) for v in value] if isinstance(value, list) else value


class IterableDataset(_IterableDataset):
    """A loader for torch.utils.data.DataLoader(dataset, batch_size=None): batches as dicts of tensors, without a copy.

    Arguments as mt.Loader's. shard=None: that of shard() above when iterating begins. Threads do the work, so num_workers=0 is the
    fast way; with worker processes, each takes every num_workers-th batch of the shard by a loader of its own, so that DataLoader
    gives the same batches in the same order as without, each once. Each iteration is one epoch, the next one each time; set_epoch(n)
    chooses. With worker processes, which begin anew each time, set_epoch before every iteration. The loader itself is `.loader`.
    """

    def __init__(self, items, chain=None, *, shard=None, **options):
        super().__init__()
        self._arguments = items, chain, shard, options
        self._loader = self._loader_of = self._state = None
        self._epoch = 0

    @property
    def loader(self):
        """The mt.Loader of this process (and worker), made when first needed."""
        items, chain, given, options = self._arguments
        rank, world = given if given is not None else shard()
        worker = get_worker_info()
        part = (0, 1) if worker is None else (worker.id, worker.num_workers)
        if self._loader is None or self._loader_of != (os.getpid(), rank, world, part):
            self._loader = Loader(items, chain, shard=(rank, world), part=part, **options)
            self._loader_of = os.getpid(), rank, world, part
        return self._loader

    def set_epoch(self, epoch):
        """The next iteration is this epoch."""
        self._epoch = epoch

    def state(self):
        """As mt.Loader.state(); only without worker processes."""
        return self.loader.state()

    def restore(self, state):
        """As mt.Loader.restore()."""
        self.loader.restore(state)
        self._epoch, self._state = state["epoch"], True

    state_dict, load_state_dict = state, restore  # what Lightning and torchdata call them

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        loader = self.loader
        if not self._state:
            loader.set_epoch(self._epoch)
        self._state = None
        self._epoch += (
            1  # now: a consumer that counts (Lightning) never asks for the batch behind the last one
        )
        for batch in loader:
            yield tensors(batch)

    def __getstate__(self):
        return {**self.__dict__, "_loader": None, "_loader_of": None}
