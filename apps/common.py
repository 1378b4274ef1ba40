"""What the training programs share: arguments, a training loop that can be left and resumed at any step, curves, the report.

A program makes its items, loader and network, and calls train(); then it looks at its result, adds pictures and tables to
the report, and ends with finish(). Under torchrun the loop is DistributedDataParallel over shard=(rank, world).
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no screen)
import microtome as mt  # noqa: E402
import numpy as np  # noqa: E402
import synth  # noqa: E402
import torch  # noqa: E402
from microtome.report import Report  # noqa: E402
from torch.utils.tensorboard import SummaryWriter  # noqa: E402


def parser(doc, program, epochs, quick_epochs):
    """The arguments that every program takes. doc: the program's docstring."""
    p = argparse.ArgumentParser(description=doc.splitlines()[0])
    p.add_argument("--data", type=Path, help="folder of the published data; without it a synthetic cohort")
    p.add_argument("--out", type=Path, default=Path("build/apps") / program, help="everything goes here")
    p.add_argument(
        "--epochs",
        type=int,
        default=None,
        help=f"passes over the items; {epochs}, with --quick {quick_epochs}",
    )
    p.add_argument("--steps", type=int, help="batches in all, instead of --epochs")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, default=0, help="of the network and of the loader; 0: one per CPU")
    p.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, …; auto: a GPU where there is one")
    p.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    p.add_argument("--save-every", type=int, default=200, help="steps between checkpoints")
    p.add_argument("--stop-after", type=int, help="leave after this many steps in all, with a checkpoint")
    p.add_argument(
        "--quick", action="store_true", help="a minute on two cores: small volumes, planted answer"
    )
    p.add_argument("--shuffle-labels", action="store_true", help="the control: nothing can be learned")
    p.add_argument("--subjects", type=int, help="of the synthetic cohort")
    p.set_defaults(usual_epochs=(epochs, quick_epochs))
    return p


class Fail(SystemExit):
    """Ends a program with one sentence on standard error and exit code 1."""

    def __init__(self, sentence):
        super().__init__(f"{Path(sys.argv[0]).stem}: {sentence}")


@contextlib.contextmanager
def session(args):
    """Threads, seeds, folders and, under torchrun, the process group: everything between a program's start and end."""
    rank, world = mt.torch.shard()
    args.epochs = args.epochs or args.usual_epochs[args.quick]
    args.rank, args.world, args.begin = rank, world, time.perf_counter()
    if args.device == "auto":
        args.device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)  # the same on every rank: the same first weights
    args.out.mkdir(parents=True, exist_ok=True)
    if world > 1:
        torch.distributed.init_process_group("nccl" if args.device.startswith("cuda") else "gloo")
    try:
        yield
    except (mt.Error, FileNotFoundError) as e:
        raise Fail(e) from e
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()


def synthetic(args, task, quick, full, grid="full"):
    """(items, sentence) of the synthetic cohort, made when it is not there yet; quick: subjects with --quick, on 3 mm voxels."""
    subjects, grid = args.subjects or (quick if args.quick else full), "small" if args.quick else grid
    folder = args.out.parent / f"synthetic_{task}_{grid}_{subjects}_{args.seed}"
    if args.rank == 0:
        synth.cohort(folder, subjects, task, args.seed, grid)
    barrier(args)
    items = synth.cohort(folder, subjects, task, args.seed, grid)
    sentence = (
        f"Data: a synthetic cohort ({task}) of {subjects} subjects made from one T1 brain by apps/synth.py"
    )
    return items, f"{sentence}; it shows that the program learns what was planted, nothing about people."


def parts(items, val, test):
    """(training, validation, test items): the last `test` of the items test, the `val` before them choose the best weights."""
    cut = len(items) - val - test
    if cut < 1:
        raise Fail(f"{len(items)} subjects leave none to train on beside {val + test} held out (--subjects)")
    return items[:cut], items[cut : cut + val], items[cut + val :]


def published_parts(items, training):
    """(training, validation, test items) of a published folder: the first ones train; of the rest every second one tests."""
    cut = min(training, len(items) * 5 // 6)
    if len(items) - cut < 2:
        raise Fail(f"{len(items)} subjects are too few to train, to choose the best weights and to test")
    return items[:cut], items[cut::2], items[cut + 1 :: 2]


def barrier(args):
    """Waits for the other processes of torchrun; a rank that writes files goes first."""
    if args.world > 1:
        torch.distributed.barrier()


def shuffled(items, field, seed=0):
    """The control: the field's values permuted so that they say as little as possible about the true ones.

    Of a thousand permutations the one with the least correlation: with plain shuffling of a few items a network could still
    learn the planted answer, or its opposite, from the correlation that chance leaves.
    """
    rng, truth = np.random.default_rng(seed), np.array([item[field] for item in items], float)
    orders = [rng.permutation(len(items)) for _ in range(1000)]
    centred = truth - truth.mean()
    best = min(orders, key=lambda order: abs(np.dot(centred, centred[order])))
    return [{**item, field: items[k][field]} for item, k in zip(items, best)]


def loader(args, items, chain, batch_size, **options):
    """A training loader of this process's shard, shuffled, with what is deterministic in its chain kept in memory."""
    given = {"shuffle": True, "seed": args.seed, "cache_bytes": 2 << 30, "drop_last": True, **options}
    feed = mt.Loader(
        items, chain, batch_size=batch_size, threads=args.threads, shard=(args.rank, args.world), **given
    )
    if not len(feed):
        raise Fail("the training items do not fill one batch; give more of them (--subjects)")
    return feed


def one_cycle(args, optimizer, feed):
    """A schedule up to the optimizer's rates and down to nothing, where batch normalisation's statistics settle; with --quick only."""
    if not args.quick:
        return None
    rates, steps = [group["lr"] for group in optimizer.param_groups], args.steps or args.epochs * len(feed)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)


def tensors(batch, device="cpu"):
    """A batch as a dict of tensors on the device; other fields stay lists."""
    return {
        name: torch.as_tensor(value).to(device) if hasattr(value, "shape") else value
        for name, value in mt.torch.tensors(batch).items()
    }


def train(args, network, optimizer, feed, loss_of, validate=None, every=None, best=max, schedule=None):
    """Trains; the network ends with its best weights. Returns the history that curves() and finish() show.

    loss_of(network, batch) → scalar loss; batch: dict of tensors. validate(network) → {name: value}, called every `every` steps
    (default: each epoch) and at the end, in eval mode, without gradients; its first value is the score, `best` (max or min) says
    which is kept. OUT/checkpoint.pt holds network, optimizer, schedule, random generators, the loader's place and the history:
    with --resume the run goes on in mid-epoch, on one thread bit for bit as if it had never stopped.
    """
    network.to(args.device)
    steps = args.steps or args.epochs * len(feed)
    every = min(every or len(feed), steps)
    history = {"loss": [], "val": [], "wait_s": 0.0, "seconds": 0.0, "best": None, "best_step": 0, "steps": 0}
    parts = {"network": network, "optimizer": optimizer, "schedule": schedule}
    if args.resume:
        history = restore(args, parts, feed)
    model = network
    if args.world > 1:
        ids = [torch.device(args.device).index] if args.device.startswith("cuda") else None
        model = torch.nn.parallel.DistributedDataParallel(network, device_ids=ids)
    writer = (
        SummaryWriter(args.out / "tensorboard", purge_step=history["steps"] + 1) if args.rank == 0 else None
    )
    end = min(steps, args.stop_after or steps)
    network.train()
    while history["steps"] < end:
        start = time.perf_counter()
        for batch in feed:
            inputs = tensors(batch, args.device)
            ready = time.perf_counter()
            optimizer.zero_grad()
            loss = loss_of(model, inputs)
            loss.backward()
            optimizer.step()
            if schedule:
                schedule.step()
            history["steps"] += 1
            history["loss"].append(loss.item())
            step = history["steps"]
            if writer:
                writer.add_scalar("train_loss", history["loss"][-1], step)
            if validate and (step % every == 0 or step == steps):
                look(args, network, validate, best, history, writer, steps)
            history["wait_s"] += ready - start
            history["seconds"] += time.perf_counter() - start
            if step % args.save_every == 0 or step == end:
                save(args, parts, feed, history)
            if step == end:
                break
            start = time.perf_counter()
    if writer:
        writer.close()
    if history["steps"] < steps:
        if args.rank == 0:
            print(f"left after step {history['steps']} of {steps}; --resume goes on there", flush=True)
        raise SystemExit(0)
    if history["best_step"]:
        network.load_state_dict(torch.load(args.out / "best.pt", map_location=args.device))
    network.eval()
    return history


def look(args, network, validate, best, history, writer, steps):
    """One validation: on rank 0, while the others wait; the best weights so far go to OUT/best.pt."""
    if args.rank == 0:
        network.eval()
        with torch.no_grad():
            values = {name: float(value) for name, value in validate(network).items()}
        network.train()
        score = next(iter(values.values()))
        history["val"].append((history["steps"], values))
        if not np.isnan(score) and (
            history["best"] is None or best(score, history["best"]) != history["best"]
        ):
            history["best"], history["best_step"] = score, history["steps"]
            write(network.state_dict(), args.out / "best.pt")
        for name, value in values.items():
            writer.add_scalar(name, value, history["steps"])
        text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        recent = np.mean(history["loss"][-20:])
        print(f"step {history['steps']} of {steps}: loss {recent:.4g}, {text}", flush=True)
    if args.world > 1:
        best = [(history["best"], history["best_step"])]
        torch.distributed.broadcast_object_list(best)
        history["best"], history["best_step"] = best[0]


def write(thing, path):
    """torch.save beside the path, then renamed: a reader, or a crash, never meets half a file."""
    temporary = path.with_name(path.name + ".part")
    torch.save(thing, temporary)
    temporary.replace(path)


def save(args, parts, feed, history):
    """OUT/checkpoint.pt, by rank 0, with the random generators of all ranks."""
    generators = {"torch": torch.get_rng_state()}
    if args.device.startswith("cuda"):
        generators["cuda"] = torch.cuda.get_rng_state(args.device)
    everyone = [generators]
    if args.world > 1:
        everyone = [None] * args.world
        torch.distributed.all_gather_object(everyone, generators)
    if args.rank == 0:
        states = {name: part.state_dict() for name, part in parts.items() if part is not None}
        rest = {"loader": feed.state(), "generators": everyone, "history": history, "seed": args.seed}
        write({**states, **rest}, args.out / "checkpoint.pt")
    barrier(args)


def restore(args, parts, feed):
    """Takes everything of save() back; the history."""
    path = args.out / "checkpoint.pt"
    if not path.exists():
        raise Fail(f"{path} is not there: nothing to resume")
    state = torch.load(path, map_location=args.device, weights_only=True)
    for name, part in parts.items():
        if part is not None:
            part.load_state_dict(state[name])
    feed.restore({**state["loader"], "rank": args.rank})  # every shard is at the same place
    generators = state["generators"][args.rank]
    torch.set_rng_state(generators["torch"].cpu())
    if "cuda" in generators:
        torch.cuda.set_rng_state(generators["cuda"].cpu(), args.device)
    return state["history"]


def curves(history, score, chance=None):
    """Training loss of every step with its moving mean; the validation's first value. chance: drawn as a line."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
    loss = np.array(history["loss"])
    left.plot(np.arange(1, len(loss) + 1), loss, color="#5b8def", alpha=0.35, linewidth=1)
    window = max(1, len(loss) // 20)
    smooth = np.convolve(loss, np.ones(window) / window, mode="valid")
    left.plot(np.arange(window, len(loss) + 1), smooth, color="#2a5db0")
    left.set_title("training loss", fontsize=10)
    points = [(step, next(iter(values.values()))) for step, values in history["val"]]
    right.plot(*zip(*points), color="#2f8f5b", marker="o", markersize=3)
    if chance is not None:
        right.axhline(chance, color="#999", linestyle=":")
    values = [value for _, value in points]
    if (
        values and max(values) > 10 * min(values) > 0
    ):  # a first error before the statistics settle hides all others
        right.set_yscale("log")
        score += " (log)"
    right.set_title(score, fontsize=10)
    for axis in (left, right):
        axis.set_xlabel("step")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def pictures(rows, titles=(), names=(), cmap="gray", size=2.2, ranges=None):
    """A figure of slices: rows of [Y, X] arrays, all of one row in one grey scale, or in ranges[i] = (low, high)."""
    columns = max(len(row) for row in rows)
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(size * columns, size * len(rows) + 0.3), squeeze=False
    )
    for i, row in enumerate(rows):
        low, high = (
            ranges[i] if ranges else np.percentile(np.concatenate([np.ravel(a) for a in row]), [1, 99.5])
        )
        for k, axis in enumerate(axes[i]):
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
            if k < len(row):
                axis.imshow(row[k], cmap=cmap, origin="lower", vmin=low, vmax=max(high, low + 1e-6))
            if i == 0 and k < len(titles):
                axis.set_title(titles[k], fontsize=9)
        if i < len(names):
            axes[i][0].set_ylabel(names[i], fontsize=9)
    figure.tight_layout()
    return figure


def begin_report(args, title, what, data, history, settings):
    """A report with what the run is, its data, settings and waiting; the program adds its pictures and tables."""
    report = Report(title, f"Made by {Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}")
    report.text(what)
    report.text(data)
    if args.shuffle_labels:
        report.text(
            "This is the control: what there is to learn was shuffled away, so chance is the right result."
        )
    if args.quick:
        report.note(
            "--quick: smaller volumes, fewer steps and another learning rate than the published program."
        )
    share = history["wait_s"] / max(history["seconds"], 1e-9)
    rows = [
        *settings.items(),
        ("steps", history["steps"]),
        ("time in the training loop, s", history["seconds"]),
        ("share of it waiting for data", f"{share:.1%}"),
    ]
    report.table(["setting", "value"], [list(row) for row in rows])
    return report


def finish(args, report, history, scores):
    """Saves the report and OUT/result.json with the scores; prints them. Rank 0 only writes."""
    if args.rank != 0:
        return
    report.note(f"The whole run took {time.perf_counter() - args.begin:.0f} s.")
    report.save(args.out / "report.html")
    share = history["wait_s"] / max(history["seconds"], 1e-9)
    result = {**scores, "wait_share": share, "steps": history["steps"]}
    result["seconds"] = time.perf_counter() - args.begin
    (args.out / "result.json").write_text(json.dumps(result, indent=1))
    text = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
    print(f"{text}; waiting for data {share:.1%}; open {args.out}/report.html", flush=True)
