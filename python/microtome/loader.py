"""The loader: batches for training out of items, by threads in one process.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import atexit
import os
import weakref
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import _core
from .chain import Chain, field_kinds
from .errors import InvalidError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy import ndarray

    from .chain import Apply, Operator

_live = weakref.WeakSet()


@atexit.register
def _close_all():
    # Workers that wait for the interpreter's lock must not meet its end.
    for loader in list(_live):
        loader.close()


def _sampling(items, balance, sampling, weights):
    """The options for which items make up an epoch."""
    ways = {"equal": 1, "under": 2, "over": 3}
    if weights is not None:
        if balance is not None or sampling is not None:
            raise InvalidError("weights and balance are two ways to choose items; give one of them")
        weights = [float(w) for w in weights]
        if len(weights) != len(items):
            raise InvalidError(f"{len(weights)} weights for {len(items)} items")
        return {"sampling": 4, "classes": None, "weights": weights}
    if balance is None:
        if sampling is not None:
            raise InvalidError(f"sampling={sampling!r} needs balance=, the field that tells the classes")
        return {"sampling": 0, "classes": None, "weights": None}
    if sampling is not None and sampling not in ways:
        raise InvalidError(f"sampling must be one of {', '.join(map(repr, ways))}, not {sampling!r}")
    values = [_class_of(item, i, balance) for i, item in enumerate(items)]
    number = {v: k for k, v in enumerate(sorted(set(values), key=lambda v: (isinstance(v, str), v)))}
    return {"sampling": ways[sampling or "equal"], "classes": [number[v] for v in values], "weights": None}


def _class_of(item, i, field):
    if field not in item:
        raise InvalidError(f"balance: item {i} has no field {field!r}")
    value = item[field]
    if not isinstance(value, str):
        try:
            value = float(value)
        except (TypeError, ValueError):
            value = float("nan")
        if value != value:
            raise InvalidError(
                f"balance: {field!r} of item {i} is neither a number nor text: {item[field]!r}"
            )
    return value


class Batch(Mapping):
    """A batch: field → value. Images and label maps are mt.Array [B, C, Z, Y, X] (or lists of [C, Z, Y, X] where shapes differ),
    numbers NumPy arrays [B], everything else lists of the items' own values.

    index: sample numbers (item · samples_per_item + crop; see balance and weights of mt.Loader), int64 [B]. epoch, number: which batch of which epoch. affines: field
    → [B, 4, 4], voxel centre (x, y, z) → mm, of the grids as delivered. The memory is reused when the batch and all that was
    made from its arrays (NumPy arrays, tensors) are gone, never before.
    """

    def __init__(
        self, epoch: int, number: int, index: ndarray, values: dict[str, Any], affines: ndarray
    ) -> None:
        self.epoch, self.number, self.index = epoch, number, index
        self._values, self._affines = values, affines

    @property
    def affines(self) -> dict[str, ndarray]:
        """field → float64 [B, 4, 4]."""
        return {name: self._affines[:, i] for i, name in enumerate(self._values)}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self):
        parts = (
            f"{k}: {v.shape if hasattr(v, 'shape') else f'list of {len(v)}'}" for k, v in self._values.items()
        )
        return f"<microtome.Batch {self.number} of epoch {self.epoch}: {', '.join(parts)}>"


class Loader:
    """Batches out of items, made ahead by threads: for batch in loader: batch["image"].

    items: dicts of the same named fields: image paths, DICOM folders, lists of files that are one picture (a DICOM series), arrays ([Z, Y, X] or [C, Z, Y, X]), numbers, anything else (passed on).
    chain: an mt.Chain, a list of operators, or None. Order, content and random draws depend only on (seed, epoch, index): the same
    bytes for any number of threads, processes, prefetched batches, and after restore() in mid-epoch.

    batch_size, shuffle, seed, drop_last: as usual. threads: 0: one per CPU. prefetch: batches made ahead. shard: (rank, world);
    every shard has the same length. cache_bytes: memory for decoded volumes, or for the result of the chain's deterministic
    prefix. on_error: "raise" ends the epoch with the bad item's name and reason, "skip" leaves it out and counts it (stats()).
    ragged: "list" or "pad": what becomes of samples whose shapes differ; padding is at the end, with pad_value.
    samples_per_item: crops per loaded volume. balance: name of a field (number or text) that tells the items' classes; sampling says
    what an epoch is then: "equal" (as many places as items, the classes with as many each; the default), "under" (of each class as
    many as the smallest has, chosen anew in every epoch), "over" (as many as the largest has: every item, some again). weights: one
    number per item, 0 or more: as many places as items, each drawn by weight, with replacement. An item that comes again in an epoch
    has draws of its own: its index is len(items) · samples_per_item higher each time. part: (number, count), only every count-th
    batch of the shard, for worker processes. index: path of a sidecar index, or an mt.Index's. texts: fields that are passed on
    though they look like paths. max_bytes is that of mt.open. progress: shows a bar (tqdm).

    Each `for` is one epoch, the next one each time. Errors: ValueError and TypeError (options, items), those of reading while
    iterating.
    """

    def __init__(
        self,
        items: Iterable[Mapping[str, Any]],
        chain: Chain | Iterable[Operator | Apply] | None = None,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        threads: int = 0,
        prefetch: int = 2,
        shard: tuple[int, int] = (0, 1),
        drop_last: bool = False,
        cache_bytes: int = 0,
        device: str = "cpu",
        on_error: str = "raise",
        ragged: str = "list",
        pad_value: float = 0.0,
        samples_per_item: int = 1,
        index: str | os.PathLike[str] | None = None,
        texts: str | Iterable[str] = (),
        progress: bool = False,
        balance: str | None = None,
        sampling: str | None = None,
        weights: Iterable[float] | None = None,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if device != "cpu":
            raise UnsupportedError(f"batches are made in the CPU's memory; device={device!r} is not")
        if on_error not in ("raise", "skip"):
            raise InvalidError(f"on_error must be 'raise' or 'skip', not {on_error!r}")
        if ragged not in ("list", "pad"):
            raise InvalidError(f"ragged must be 'list' or 'pad', not {ragged!r}")
        self.items = items if isinstance(items, list) else list(items)
        self.chain = chain if chain is None or isinstance(chain, Chain) else Chain(chain)
        self.texts, self.progress = (texts,) if isinstance(texts, str) else tuple(texts), progress
        rank, world = shard
        per_item = _sampling(self.items, balance, sampling, weights)
        self._options = {
            **per_item,
            "part": part[0],
            "parts": part[1],
            "batch_size": batch_size,
            "shuffle": shuffle,
            "seed": seed,
            "threads": threads,
            "prefetch": prefetch,
            "rank": rank,
            "world": world,
            "drop_last": drop_last,
            "cache_bytes": int(cache_bytes),
            "skip_bad": on_error == "skip",
            "pad_ragged": int(ragged == "pad"),
            "pad_value": pad_value,
            "samples_per_item": samples_per_item,
            "index": index if index is None else os.fspath(index),
        }
        self._names, self._uris = field_kinds(self.items, self.chain, self.texts)
        self._epoch, self._batch = 0, 0  # the next batch to deliver
        self._fresh = True  # the next `for` begins there; else it begins the epoch after
        self._run = 0  # which `for` is the current one
        self._made = None
        self._get()  # errors come now

    def _get(self):
        # In a forked child the parent's workers do not exist: it makes its own.
        if self._made is None or self._made[0] != os.getpid():
            chain = self.chain._get() if self.chain is not None else None
            core = _core.Loader(self.items, self._names, self._uris, chain, self._options)
            self._made = os.getpid(), core
            _live.add(self)
        return self._made[1]

    @property
    def batch_size(self) -> int:
        """Samples per batch."""
        return self._options["batch_size"]

    @property
    def seed(self) -> int:
        """Of the order and of all random draws."""
        return self._options["seed"]

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, world)."""
        return self._options["rank"], self._options["world"]

    def __len__(self) -> int:
        """Batches per epoch of this shard."""
        return self._get().batches()

    @property
    def epoch(self) -> int:
        """The epoch of the next batch: the current one in a `for`, the coming one between two."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """The next `for` is this epoch, from its beginning."""
        self._place(epoch, 0)

    def __iter__(self) -> Iterator[Batch]:
        if not self._fresh:  # the last `for` was left early, by break or by an error
            self._epoch, self._batch = self._epoch + 1, 0
        self._fresh = False
        self._run += 1
        batches = self._iterate(self._get(), self._run)
        if not self.progress:
            return batches
        from tqdm.auto import tqdm

        return iter(
            tqdm(batches, total=len(self), initial=self._batch, desc=f"epoch {self._epoch}", leave=False)
        )

    def _iterate(self, core, run):
        core.seek(self._epoch, self._batch)
        while True:
            got = core.next()
            if run != self._run:
                raise RuntimeError("another `for` over this loader has begun, or its place was set")
            if got is None:
                self._place(self._epoch + 1, 0)
                return
            epoch, number, index, values, affines = got
            self._batch = number + 1
            for name, value in values.items():
                if value is None:
                    each = self._options["samples_per_item"]
                    n = len(self.items)
                    values[name] = [self.items[int(i) // each % n][name] for i in index]
            yield Batch(epoch, number, index, values, affines)
            if run != self._run:
                raise RuntimeError("another `for` over this loader has begun, or its place was set")

    def state(self) -> dict[str, int]:
        """Where the loader is, as a small dict that JSON can hold: the next batch that it would deliver. A batch counts as
        delivered once `for` has given it out."""
        place = (self._epoch, self._batch) if self._batch < len(self) else (self._epoch + 1, 0)
        return {"version": 1, "epoch": place[0], "batch": place[1], **self._identity()}

    def restore(self, state: Mapping[str, int]) -> None:
        """Goes to where `state()` was taken: the next `for` continues there, byte-identical. Errors: ValueError (the state is of a
        loader with other items, seed, batch size, shuffling, shards or crops)."""
        if not isinstance(state, Mapping):
            raise InvalidError(f"a loader's state is a dict, not {state!r}")
        if state.get("version") != 1:
            raise InvalidError(f"a loader's state of version {state.get('version')!r}; 1 is known")
        own = self._identity()
        for key in (*own, *(k for k in state if k not in ("version", "epoch", "batch", *own))):
            value = own.get(key)
            if state.get(key) != value:
                raise InvalidError(
                    f"the state is of a loader with {key} {state.get(key)!r}, this one has {value!r}"
                )
        self._place(state.get("epoch"), state.get("batch"))

    def _identity(self):
        keys = ("seed", "batch_size", "shuffle", "drop_last", "rank", "world", "samples_per_item")
        out = {"items": len(self.items), **{k: self._options[k] for k in keys}}
        if self._options["sampling"]:
            numbers = repr((self._options["classes"], self._options["weights"])).encode()
            out |= {"sampling": self._options["sampling"], "sampled_by": zlib.crc32(numbers)}
        if self._options["parts"] > 1:
            out |= {"part": self._options["part"], "parts": self._options["parts"]}
        return out

    def _place(self, epoch, batch):
        try:
            epoch, batch = epoch.__index__(), batch.__index__()
        except AttributeError:
            raise InvalidError(f"batch {batch!r} of epoch {epoch!r}: two whole numbers are wanted") from None
        if not 0 <= epoch < 2**62 or not 0 <= batch <= len(self):
            raise InvalidError(f"there is no batch {batch} of epoch {epoch}")
        self._epoch, self._batch, self._fresh = epoch, batch, True
        self._run += 1

    def stats(self) -> dict[str, Any]:
        """Counts and seconds since the loader was made: samples, skipped, last_skip (why), bytes_delivered, cache_hits,
        cache_bytes, bound_bytes (the stated memory bound); read, inflate, decode, geometry, intensity, apply (summed over the
        threads), wait (of the consumer for a batch)."""
        return self._get().stats()

    def close(self) -> None:
        """Stops the threads and frees what was prefetched and cached; batches that are held stay valid. Also at exit, and when the
        loader is no longer referred to."""
        if self._made is not None and self._made[0] == os.getpid():
            self._made[1].close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *exc):
        self.close()

    def __repr__(self):
        rank, world = self.shard
        return f"<microtome.Loader {len(self.items)} items, batches of {self.batch_size}, shard {rank} of {world}>"
