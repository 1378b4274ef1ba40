"""Measuring: ours and every peer in one process, interleaved, so that a slow moment of the machine hits all alike.

A row names one piece of work, who does it, and the ratios to reach. Each contestant is a callable without arguments; the
time of a call is what counts, its result is dropped outside the clock. Medians, ratios, page faults and peak memory.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import gc
import os
import resource
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

ALL_CPUS = sorted(os.sched_getaffinity(0))


@dataclass
class Row:
    """One line of the table; every figure is milliseconds of one call."""

    name: str
    ours: object
    peers: dict = field(default_factory=dict)
    targets: dict = field(default_factory=dict)  # {peer: how many times faster than it ours must be}
    at_most: dict = field(default_factory=dict)  # {peer: how many times its time ours may take}
    most_ms: float | None = None
    bytes_out: int = 0
    samples: int = 0  # pixels times channels, for rows that tell their speed so
    threads: int = 1
    rounds: int = 200
    budget_s: float = 6.0
    note: str = ""
    repeat: int = (
        1  # how often a call of ours does the work: what a loader makes ahead is then a small part of it
    )
    scales: tuple[str, float] | None = (
        None  # (row with one thread, how many times faster than it this must be)
    )


def set_threads(n):
    import microtome as mt

    mt.set_threads(n)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(n)
    with contextlib.suppress(ImportError):
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(n)


@contextlib.contextmanager
def cores(n):
    """Runs on n CPUs, with the libraries' own thread pools cut to n."""
    os.sched_setaffinity(0, ALL_CPUS[:n])
    set_threads(n)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ALL_CPUS)
        set_threads(len(ALL_CPUS))


def peak_bytes(reset=False):
    """Peak resident bytes of this process since the last reset."""
    if reset:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def clock(call):
    """Milliseconds and page faults of one call."""
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    start = time.perf_counter()
    result = call()
    spent = (time.perf_counter() - start) * 1e3
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    del result
    return spent, faults


def warm_up(contestants):
    """Two calls each: caches, lazy imports, first allocations. A peer that fails is named; ours may not fail."""
    failed = {}
    for name, call in contestants.items():
        try:
            clock(call)
            clock(call)
        except Exception as e:  # whatever a peer raises, the bench goes on
            if name == "microtome":
                raise
            failed[name] = f"{type(e).__name__}: {e}"[:160]
    return failed


def measure(row, before=()):
    """Interleaved rounds of all contestants; returns a plain dict. before: results of earlier rows, for `scales`."""
    with cores(row.threads):
        contestants = {"microtome": row.ours, **row.peers}
        failed = warm_up(contestants)
        running = {n: c for n, c in contestants.items() if n not in failed}
        times, faults = {n: [] for n in running}, {n: [] for n in running}
        gc.collect()
        gc.disable()
        start, rounds = time.perf_counter(), 0
        while rounds < row.rounds and (rounds < 5 or time.perf_counter() - start < row.budget_s):
            for name, call in running.items():
                spent, n = clock(call)
                times[name].append(spent / row.repeat if name == "microtome" else spent)
                faults[name].append(n / row.repeat if name == "microtome" else n)
            rounds += 1
        gc.enable()
        peak_bytes(reset=True)
        clock(row.ours)
    median = {n: statistics.median(t) for n, t in times.items()}
    return {
        "row": row.name,
        "threads": row.threads,
        "rounds": rounds,
        "ms": median,
        "best_ms": {n: min(t) for n, t in times.items()},
        "ratio": {n: m / median["microtome"] for n, m in median.items() if n != "microtome"},
        "faults": {n: statistics.median(f) for n, f in faults.items()},
        "gb_per_s": row.bytes_out / median["microtome"] / 1e6 if row.bytes_out else None,
        "samples": row.samples,
        "peak_mb": peak_bytes() / 1e6,
        "targets": verdicts(row, median) + scaling(row, median, before),
        "failed": failed,
        "note": row.note,
    }


def verdicts(row, median):
    """[(text, met)] of every target whose peer ran."""
    ours, out = median["microtome"], []
    for peer, times in row.targets.items():
        if peer in median:
            out.append((f"≥ {times:g} × {peer}", median[peer] / ours >= times))
    for peer, times in row.at_most.items():
        if peer in median:
            out.append((f"≤ {times:g} × {peer}", ours <= times * median[peer]))
    if row.most_ms is not None:
        out.append((f"≤ {row.most_ms:g} ms", ours <= row.most_ms))
    return out


def scaling(row, median, before):
    """[(text, met)] of a row that repeats an earlier one with more threads."""
    if row.scales is None:
        return []
    name, times = row.scales
    single = next((r["ms"]["microtome"] for r in before if r["row"] == name), None)
    if single is None:
        return []
    ratio = single / median["microtome"]
    return [(f"≥ {times:g} × one thread ({ratio:.2f} ×)", ratio >= times)]


def show_ms(ms):
    return f"{ms:.3g}" if ms < 100 else f"{ms:.0f}"


def markdown(results):
    """The table of doc/performance.md."""
    lines = [
        "| work | microtome, ms | page faults | peers, ms (ratio) | target | met |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        peers = ", ".join(
            f"{n} {show_ms(m)} ({r['ratio'][n]:.2g}×)" for n, m in r["ms"].items() if n != "microtome"
        )
        peers += "".join(f", {n} failed" for n in r["failed"])
        ours = show_ms(r["ms"]["microtome"])
        if r["gb_per_s"]:
            ours += f" ({r['gb_per_s']:.1f} GB/s)"
        name = r["row"] + (f" ({r['note']})" if r["note"] else "")
        targets = "; ".join(text for text, _ in r["targets"]) or "–"
        met = "; ".join("yes" if ok else "**no**" for _, ok in r["targets"]) or "–"
        faults = f"{r['faults']['microtome']:.0f}"
        lines.append(f"| {name} | {ours} | {faults} | {peers.lstrip(', ') or '–'} | {targets} | {met} |")
    return "\n".join(lines)
