"""Rows of feeding a network: the published notebook's geometry, 128 × 224 × 224 float32 in batches of five; apps/feed_ways.py reads.

apps/feed_benchmark.py has the whole table. Each call reads 25 volumes.
SPDX-License-Identifier: Apache-2.0
"""

import itertools
import sys

import microtome as mt
import numpy as np
from data import ROOT, WORK
from harness import Row

sys.path.insert(0, str(ROOT / "apps"))
import feed_ways  # noqa: E402  (a program's module, not a package's)

READS = 25


def ours(images, chain, threads):
    feed = mt.Loader(
        [{"image": images[i % len(images)]} for i in range(READS)], chain, feed_ways.BATCH, threads=threads
    )

    def run():
        feed.set_epoch(feed.epoch + 1)  # what was read ahead is dropped: every call reads all of it
        return sum(len(batch.index) for batch in feed)

    return run


def theirs(samples):
    def run():
        part = itertools.islice(samples, READS)
        while held := [a[..., None] for a in itertools.islice(part, feed_ways.BATCH)]:
            np.stack(held)

    return run


def rows():
    arrays = feed_ways.prepare(WORK / "feed", 5, None)
    files = [WORK / "feed" / f"{i}.nii.gz" for i in range(len(arrays))]
    out = READS * arrays[0].nbytes
    yield Row(
        f"feed {READS} volumes 128×224×224 float32 from memory, 2 threads",
        ours(arrays, None, 2),
        {"np.stack": theirs(itertools.cycle(arrays))},
        most_ms=out / 6e6,
        bytes_out=out,
        threads=2,
        note="batches of 5; target 6 GB/s",
    )
    yield Row(
        f"feed {READS} volumes 128×224×224 from .nii.gz, whitened, 2 threads",
        ours(files, feed_ways.WHITEN, 2),
        {"generator, nibabel": theirs(feed_ways.generator(files))},
        {"generator, nibabel": 5},
        bytes_out=out,
        threads=2,
        note="the published generator way, one thread, as it was",
        budget_s=12,
    )
