"""Preparing a cohort once: every image of a list on one spacing and orientation, as new files and a new list.

    new = mt.prepare("cohort.csv", "iso", spacing=1, orient="RAS", interp="cubic")
    python -m microtome.cohort cohort.csv iso --spacing 1 --orient RAS --interp cubic

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import concurrent.futures as futures
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _core, items as _items
from .chain import Chain, field_kinds
from .errors import CancelledError, Error, InvalidError, system_errors
from .image import convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Prepared", "prepare"]

_MANIFEST = "prepare.jsonl"


class Prepared(list):
    """The new items. made, kept: files written, and found done by an earlier run. failed: [(source, exception), …]; an item one of
    whose files failed is not in the list. csv: path of the list as a table."""

    def __init__(
        self,
        items: Iterable[dict[str, Any]],
        made: int,
        kept: int,
        failed: list[tuple[str, Exception]],
        csv: str,
    ) -> None:
        super().__init__(items)
        self.made, self.kept, self.failed, self.csv = made, kept, failed, csv

    def __repr__(self):
        return f"<microtome.Prepared {len(self)} items: {self.made} files made, {self.kept} kept, {len(self.failed)} failed>"


def prepare(
    items: Iterable[Mapping[str, Any]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    spacing: float | Sequence[float] | None = None,
    orient: str | None = None,
    interp: str = "linear",
    *,
    extent: str = "centres",
    antialias: bool = False,
    labels: str | Iterable[str] = ("label", "mask", "seg"),
    texts: str | Iterable[str] = (),
    dtype: Any = None,
    root: str | os.PathLike[str] | None = None,
    ending: str = ".nii.gz",
    deflate: int = 0,
    threads: int = 0,
    resume: bool = True,
    on_error: str = "raise",
    progress: bool | Callable[[int, int], Any] = False,
) -> Prepared:
    """Resamples and turns every image of a cohort, and writes them with a table of the new items into a folder.

    items: dicts as mt.Loader takes them, or the path of a table (mt.items.from_csv). Each image becomes the NIfTI file OUT/PATH,
    PATH being its place below `root` (default: the folder that all have in common) with `ending` (".nii.gz", ".nii"); other fields
    are passed on. OUT/items.csv holds the new items. spacing (mm, array order z, y, x; one number: isotropic), orient ("RAS"),
    interp ("linear", "cubic": B-spline), extent, antialias, dtype, deflate: as mt.convert. Fields named in labels are gathered
    nearest and keep their dtype. texts: fields that look like paths but are none.

    threads: files at a time, each in its own thread without the interpreter's lock; 0: one per CPU. resume: a file is left alone
    when OUT/prepare.jsonl says that it was made from this source (same path, size and time of change) with these parameters, and
    its size is still that; so an interrupted run goes on. Files appear under their names only when whole. on_error: "raise" stops
    at the first bad file; "skip" leaves its items out, tells them in .failed and goes on. progress: True for a bar (tqdm), or a
    function of (files done, files in all).
    Errors: ValueError (parameters, two images of one name), those of mt.convert.
    """
    if on_error not in ("raise", "skip"):
        raise InvalidError(f"on_error must be 'raise' or 'skip', not {on_error!r}")
    if ending not in (".nii.gz", ".nii"):
        raise InvalidError(f"ending must be '.nii.gz' or '.nii', not {ending!r}")
    if isinstance(items, str | os.PathLike):
        items = _items.from_csv(items)
    if not isinstance(threads, int) or threads < 0:
        raise InvalidError(f"threads is {threads!r}; 0 or more is wanted")
    items, out = _dicts(items), Path(out)
    change = {"orient": orient, "extent": extent, "deflate": deflate}
    change["spacing"] = None if spacing is None else _numbers(spacing)
    name = None if dtype is None else _name(dtype)
    kinds = {
        False: {**change, "interp": interp, "antialias": bool(antialias), "dtype": name},
        True: {**change, "interp": "nearest", "antialias": False, "dtype": None},
    }
    _check(kinds[False])
    fields, sources = _sources(items, labels, texts)
    targets = _targets(sources, out, root, ending)
    _items._rows(items, out)  # what a table does not hold is told before the work, not after it
    with system_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with _Manifest(out / _MANIFEST, resume) as manifest:
        work = [(source, targets[source], kinds[label]) for source, label in sources.items()]
        todo = [job for job in work if not manifest.holds(*job)]
        failed = _run(todo, manifest, threads, on_error == "raise", progress, len(work))
    bad = {source for source, _ in failed}
    new = [
        {k: str(targets[_absolute(v)]) if k in fields else v for k, v in item.items()}
        for item in items
        if not any(_absolute(item[k]) in bad for k in fields)
    ]
    table = out / "items.csv"
    _items.to_csv(new, table)
    return Prepared(new, len(todo) - len(failed), len(work) - len(todo), failed, str(table))


def _dicts(items):
    try:
        return [dict(item) for item in items]
    except (TypeError, ValueError):
        raise InvalidError("items are dicts of named fields, or the path of a table") from None


def _numbers(spacing):
    try:
        mm = [float(s) for s in spacing] if hasattr(spacing, "__iter__") else [float(spacing)]
    except (TypeError, ValueError):
        mm = []
    if len(mm) not in (1, 3) or not all(0 < s < float("inf") for s in mm):
        raise InvalidError(f"spacing must be one or three positive numbers in mm (z, y, x), not {spacing!r}")
    return mm * 3 if len(mm) == 1 else mm


def _name(dtype):
    import numpy

    try:
        return numpy.dtype(dtype).name
    except TypeError:
        raise InvalidError(f"dtype {dtype!r} is none that NumPy knows") from None


def _check(change):
    """Bad parameters are refused here, not once per file."""
    _core.check("orient", {"to": change["orient"]} if change["orient"] is not None else {})
    letters = change["orient"] or "RAS"
    if len(letters) != 3 or sorted(min(p) for p in ("RL", "AP", "SI") for c in letters if c in p) != list(
        "AIL"
    ):
        raise InvalidError(f"orient must name x, y and z by R or L, A or P, S or I, not {letters!r}")
    given = {k: change[k] for k in ("interp", "extent", "antialias")}
    _core.check("spacing", {"to": change["spacing"] or 1.0, **given})


def _absolute(path):
    return os.path.abspath(path)  # noqa: PTH100 - a link stays a link, so that names are the user's


def _sources(items, labels, texts):
    """The fields that are images, and every file → whether it is a label map."""
    chain = Chain((), labels)
    names, are_paths = field_kinds(items, chain, (texts,) if isinstance(texts, str) else tuple(texts))
    fields = [n for n, is_path in zip(names, are_paths, strict=True) if is_path]
    sources = {}
    for i, item in enumerate(items):
        for field in fields:
            if not isinstance(item[field], str | os.PathLike):
                raise InvalidError(f"item {i}: {field} is no path; only images in files are prepared")
            source, label = _absolute(item[field]), field in chain.labels
            if sources.setdefault(source, label) != label:
                raise InvalidError(f"{source} is an image in one place and a label map in another")
    if items and not fields:
        raise InvalidError(f"the items have no image: their fields are {', '.join(names)}")
    return fields, sources


def _targets(sources, out, root, ending):
    """Source → file to write. Errors: InvalidError (two sources of one name, one outside root, one that would be written over)."""
    if not sources:
        return {}
    folders = [os.path.dirname(s) for s in sources]  # noqa: PTH120
    root = _absolute(root) if root is not None else os.path.commonpath(folders)
    targets, of = {}, {}
    for source in sources:
        inside = os.path.relpath(source, root)
        if inside.startswith(os.pardir):
            raise InvalidError(f"{source} does not lie below {root}")
        stem = next(
            (
                inside[: -len(e)]
                for e in sorted(_items._ENDINGS, key=len, reverse=True)
                if inside.lower().endswith(e)
            ),
            inside,
        )
        target = out / (stem + ending)
        if of.setdefault(target, source) != source:
            raise InvalidError(f"{source} and {of[target]} would both become {target}")
        if _absolute(target) in sources:
            raise InvalidError(f"{target} would be written over an image of the list")
        targets[source] = target
    return targets


def _run(todo, manifest, threads, stop, progress, total):
    """Makes the files; returns [(source, exception)]."""
    failed, done = [], total - len(todo)
    tell = _teller(progress, done, total)
    pool = futures.ThreadPoolExecutor(threads or _core.get_threads(), "microtome-prepare")
    try:
        running = {pool.submit(_one, *job, manifest): job[0] for job in todo}
        for future in futures.as_completed(running):
            error = future.exception()
            if error is not None and (
                stop or not isinstance(error, Error) or isinstance(error, CancelledError)
            ):
                raise error
            if error is not None:
                failed.append((running[future], error))
            done += 1
            tell(done, total)
    finally:  # on an error or Ctrl-C: what has begun is finished, the rest is not
        pool.shutdown(wait=True, cancel_futures=True)
        tell(None, total)
    order = {job[0]: i for i, job in enumerate(todo)}
    return sorted(failed, key=lambda f: order[f[0]])


def _one(source, target, change, manifest):
    before = _identity(source)
    with system_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    convert(source, target, **change)
    manifest.add(source, target, change, before)


def _teller(progress, done, total):
    """A function of (done or None at the end, total)."""
    if callable(progress):
        return lambda at, of: None if at is None else progress(at, of)
    if not progress:
        return lambda at, of: None
    from tqdm.auto import tqdm

    bar = tqdm(total=total, initial=done, desc="prepare", unit="file")
    return lambda at, of: bar.close() if at is None else bar.update(at - bar.n)


def _identity(path):
    try:
        s = Path(path).stat()
    except OSError:
        return None
    return [s.st_size, s.st_mtime_ns]


class _Manifest:
    """What was made: one line of JSON per file, appended when the file is whole. A torn last line counts as missing."""

    def __init__(self, path, resume):
        self._path, self._lock, self._lines = path, threading.Lock(), {}
        if resume and path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                    self._lines[entry["target"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue

    def __enter__(self):
        # Begun anew with what still counts: a torn line does not swallow the next one, and repeats do not pile up.
        part = self._path.with_name(self._path.name + ".part")
        with system_errors(self._path):
            part.write_text("".join(self._text(e) for e in self._lines.values()), encoding="utf-8")
            part.replace(self._path)
            self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *exc):
        self._file.close()

    @staticmethod
    def _text(entry):
        return json.dumps(entry, sort_keys=True) + "\n"

    def _entry(self, source, target, change, identity):
        return {
            "source": source,
            "identity": identity,
            "target": os.path.relpath(target, self._path.parent),
            "size": (_identity(target) or [None])[0],
            "change": change,
        }

    def holds(self, source, target, change):
        """The target was made from this very source by this change, and is there."""
        entry = self._entry(source, target, change, _identity(source))
        return None not in (entry["identity"], entry["size"]) and self._lines.get(entry["target"]) == entry

    def add(self, source, target, change, identity):
        """identity: the source's before it was read, so that one that changed meanwhile is made again."""
        text = self._text(self._entry(source, target, change, identity))
        with self._lock:
            self._file.write(text)
            self._file.flush()


def _main(arguments=None):
    import argparse

    p = argparse.ArgumentParser("python -m microtome.cohort", description="Resamples and turns a cohort.")
    p.add_argument("items", help="table of the items (.csv, .tsv)")
    p.add_argument("out", help="folder for the new files and items.csv")
    p.add_argument("--spacing", metavar="Z,Y,X", help="mm, array order; one number: isotropic")
    p.add_argument("--orient", metavar="RAS", help="where x, y and z point to")
    p.add_argument(
        "--interp", default="linear", choices=("nearest", "linear", "cubic"), help="cubic: B-spline"
    )
    p.add_argument("--extent", default="centres", choices=("centres", "field_of_view"))
    p.add_argument("--antialias", action="store_true", help="smooth where an image shrinks (linear)")
    p.add_argument(
        "--labels", default="label,mask,seg", help="fields that hold label maps; default %(default)s"
    )
    p.add_argument("--dtype", help="of the images, by NumPy's name; default: their own")
    p.add_argument("--threads", type=int, default=0, help="files at a time; 0: one per CPU")
    p.add_argument("--no-resume", action="store_true", help="make every file anew")
    p.add_argument("--stop", action="store_true", help="stop at the first bad file")
    a = p.parse_args(arguments)
    try:
        spacing = [float(s) for s in a.spacing.split(",")] if a.spacing else None
        made = prepare(
            *(a.items, a.out, spacing[0] if spacing and len(spacing) == 1 else spacing, a.orient, a.interp),
            extent=a.extent,
            antialias=a.antialias,
            labels=a.labels.split(","),
            dtype=a.dtype,
            threads=a.threads,
            resume=not a.no_resume,
            on_error="raise" if a.stop else "skip",
            progress=os.isatty(2),
        )
    except (Error, ValueError, OSError) as e:
        p.exit(1, f"microtome: {e}\n")
    for source, error in made.failed:
        print(f"microtome: {source}: {error}", file=sys.stderr)
    print(
        f"{made.csv}: {len(made)} items; {made.made} files made, {made.kept} kept, {len(made.failed)} failed"
    )
    return 1 if made.failed else 0


if __name__ == "__main__":
    raise SystemExit(_main())
