"""The ways of feeding that feed_benchmark.py compares: each reads volumes of 128 × 224 × 224 float32 in batches of five.

SPDX-License-Identifier: Apache-2.0
"""

import itertools
import struct
import time
from pathlib import Path

import microtome as mt
import nibabel
import numpy as np

SHAPE, BATCH = (128, 224, 224), 5
T1 = Path("/usr/share/mricron/templates/ch2.nii.gz")
WHITEN = mt.Chain([mt.Normalize("image")])
PUBLISHED = (5.6, 31.1, 123.5)  # s for 500: memory, TFRecord, generator; another machine, TensorFlow 1


def volumes(n, data):
    """int16 volumes [Z, Y, X]: of the folder's files, else of one T1 with scanner-like noise (Rician, σ 2 %)."""
    rng = np.random.default_rng(0)
    for path in sorted(data.rglob("*.nii*"))[:n] if data else [T1] * n:
        a = mt.ops.scale(mt.ops.resize(mt.open(path).read(dtype="float32"), size=SHAPE), 0, 1000)
        a = a if data else np.hypot(a + rng.normal(0, 20, SHAPE), rng.normal(0, 20, SHAPE))
        yield a.astype(np.int16)


def prepare(folder, n, data):
    """The same volumes in every form: .nii.gz, .nii, HTJ2K slices, a record file of whitened float32; returns those arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for i, a in enumerate(volumes(n, data)):
        for ending in (".nii.gz", ".nii"):
            mt.write(folder / f"{i}{ending}", a, affine=np.eye(4))
        parts = [mt.codec.encode(plane, codec="htj2k") for plane in a]
        (folder / f"{i}.slices").write_bytes(struct.pack(f"<{len(a)}Q", *map(len, parts)) + b"".join(parts))
        arrays.append(mt.ops.normalize(a))
    with (folder / "records").open("wb") as out:
        out.writelines(struct.pack("<Q", a.nbytes) + a.tobytes() for a in arrays)
    return arrays


def records(path):
    """Whitened float32 records, one after the other, from one file: what a TFRecord file is, without TensorFlow."""
    while True:
        with path.open("rb") as file:
            while head := file.read(8):
                yield np.frombuffer(file.read(*struct.unpack("<Q", head)), np.float32).reshape(SHAPE)


def tfrecords(tf, path, n):
    """The published way itself, where TensorFlow is installed."""
    with tf.io.TFRecordWriter(f"{path}.tf") as out:
        for a in itertools.islice(records(path), n):
            out.write(a.tobytes())
    for record in tf.data.TFRecordDataset(f"{path}.tf").repeat():
        yield np.frombuffer(record.numpy(), np.float32).reshape(SHAPE)


def generator(paths):
    """nibabel reads a .nii.gz, NumPy whitens."""
    for path in itertools.cycle(paths):
        a = np.asarray(nibabel.load(path).dataobj, np.float32).T
        yield (a - a.mean()) / a.std()


def slices(paths, threads):
    """A volume's 128 HTJ2K slices decoded in one call, then whitened."""
    volume = np.empty(SHAPE, np.int16)
    for path in itertools.cycle(paths):
        data = memoryview(path.read_bytes())
        at = np.cumsum([8 * SHAPE[0], *struct.unpack_from(f"<{SHAPE[0]}Q", data)])
        mt.codec.decode_batch([data[a:b] for a, b in itertools.pairwise(at)], out=volume, threads=threads)
        yield mt.ops.normalize(volume)


def stacked(samples):
    """A way that gives single samples: reads come as arrays [B, Z, Y, X, 1] that NumPy stacks."""

    def run(reads):
        start, part = time.perf_counter(), itertools.islice(samples, reads)
        while held := [a[..., None] for a in itertools.islice(part, BATCH)]:
            np.stack(held)
        return time.perf_counter() - start

    return run


def loaded(images, chain, threads):
    """A way through mt.Loader. Every turn is an epoch that nothing was prefetched of: the one behind the last is left out."""
    feeds = {}

    def run(reads):
        items = [{"image": images[i % len(images)]} for i in range(reads)]
        if reads not in feeds:
            feeds[reads] = mt.Loader(items, chain, batch_size=BATCH, threads=threads)
        feed = feeds[reads]
        feed.set_epoch(feed.epoch + 1)
        start = time.perf_counter()
        assert sum(len(batch.index) for batch in feed) == reads
        seconds = time.perf_counter() - start
        time.sleep(0.5)  # it reads ahead into the next epoch, which must not cost the next way
        return seconds

    return run


def ways(folder, arrays, threads):
    """Name → (function of a number of reads that returns its seconds, published seconds or None)."""
    at = {e: [folder / f"{i}{e}" for i in range(len(arrays))] for e in (".nii.gz", ".nii", ".slices")}
    found = {
        "theirs: from memory, np.stack": (stacked(itertools.cycle(arrays)), PUBLISHED[0]),
        "theirs: record file, float32": (stacked(records(folder / "records")), PUBLISHED[1]),
        "theirs: generator, nibabel .nii.gz, whitened": (stacked(generator(at[".nii.gz"])), PUBLISHED[2]),
        "ours: from memory": (loaded(arrays, None, threads), None),
        "ours: .nii.gz, whitened": (loaded(at[".nii.gz"], WHITEN, threads), None),
        "ours: raw .nii, whitened": (loaded(at[".nii"], WHITEN, threads), None),
        "ours: HTJ2K slices, whitened; no loader yet": (stacked(slices(at[".slices"], threads)), None),
    }
    try:
        import tensorflow as tf

        samples = tfrecords(tf, folder / "records", len(arrays))
        found["theirs: TFRecord, float32"] = (stacked(samples), PUBLISHED[1])
    except ImportError:
        pass
    return found
