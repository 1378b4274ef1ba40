"""Lists of items for mt.Loader: from a table and to one, a folder, DICOM series, BIDS, the dataset.json of the Medical Segmentation Decathlon and nnU-Net;
and splitting them. An item is a dict of named fields; paths are absolute or relative to the working directory.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import glob
import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CorruptError, InvalidError, NotFoundError, system_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Item = dict[str, Any]

__all__ = ["from_bids", "from_csv", "from_dataset_json", "from_dicom", "from_folder", "split", "to_csv"]

_ENDINGS = (".nii", ".nii.gz", ".hdr", ".npy", ".nrrd", ".mha", ".dcm")


def _is_image(text):
    return text.lower().endswith(_ENDINGS)


def _number(text):
    """ "12" → 12, "1.5" → 1.5, anything else unchanged."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def from_csv(path: str | Path, root: str | Path | None = None, delimiter: str | None = None) -> list[Item]:
    """Items from a table with a header line: one per line, one field per column.

    Values that are numbers in every line become numbers ("1" and "01" stay text where another line holds text); values that end
    as image files do are paths, taken relative to root (default: the table's folder). delimiter: default by the ending: tab for
    .tsv, else the one of , ; and tab that the header has most of. Empty lines are left out.
    Errors: NotFoundError; CorruptError (no header, or a line with more or fewer values).
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such table")
    try:
        with system_errors(path):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as e:
        raise CorruptError(f"{path}: no table in UTF-8: byte {e.start} is {e.object[e.start]:#04x}") from None
    head = text.partition("\n")[0]
    if delimiter is None:
        delimiter = "\t" if path.suffix == ".tsv" else max(",;\t", key=head.count)
    try:
        rows = [
            row
            for row in csv.reader(text.splitlines(), delimiter=delimiter)
            if row and any(v.strip() for v in row)
        ]
    except csv.Error as e:
        raise CorruptError(f"{path}: no table: {e}") from None
    if not rows:
        raise CorruptError(f"{path}: the table has no header line")
    names = [n.strip() for n in rows[0]]
    if "" in names or len(set(names)) != len(names):
        raise CorruptError(f"{path}: the columns' names are empty or not unique: {names}")
    for i, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise CorruptError(f"{path}: line {i} has {len(row)} values, the header {len(names)}")
    return _typed(
        names, [[v.strip() for v in row] for row in rows[1:]], Path(root) if root is not None else path.parent
    )


def _typed(names, rows, root):
    columns = []
    for column in zip(*rows, strict=True):
        numbers = [_number(v) for v in column]
        if all(not isinstance(n, str) for n in numbers):
            floats = any(isinstance(n, float) for n in numbers)
            columns.append([float(n) for n in numbers] if floats else numbers)
        else:
            columns.append([str(root / v) if _is_image(v) else v for v in column])
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def to_csv(items: Iterable[Item], path: str | Path, delimiter: str | None = None) -> None:
    """Writes items as a table that from_csv reads: a column per field of the first item, every item having the same fields.

    Image paths below the table's folder are written relative to it, others absolute. Texts, numbers and paths only; a text that
    reads as a number comes back as one unless another line of its column does not. delimiter: default by the ending: tab for .tsv,
    else a comma. The file appears when it is whole. Errors: InvalidError (fields differ, or a value of another kind).
    """
    path = Path(path)
    delimiter = delimiter or ("\t" if path.suffix == ".tsv" else ",")
    rows = _rows(list(items), path.parent)
    part = path.with_name(path.name + ".part")
    with system_errors(path):
        with part.open("w", encoding="utf-8", newline="") as f:
            csv.writer(f, delimiter=delimiter, lineterminator="\n").writerows(rows)
        part.replace(path)


def _rows(items, folder):
    """Items as a table's lines of texts, the header first."""
    names = list(items[0]) if items else []
    rows = [names] if names else []
    for i, item in enumerate(items):
        if set(item) != set(names):
            raise InvalidError(f"item {i} has the fields {sorted(item)}, the first one {sorted(names)}")
        if names:
            rows.append([_cell(i, name, item[name], folder) for name in names])
    return rows


def _cell(i, name, value, folder):
    """A value as from_csv's text of it."""
    if isinstance(value, Path) or (isinstance(value, str) and _is_image(value)):
        place = Path(value).absolute()
        folder = folder.absolute()
        return str(place.relative_to(folder) if place.is_relative_to(folder) else place)
    if isinstance(value, str):
        if "\n" in value or "\r" in value:
            raise InvalidError(f"item {i}: the text of {name} has several lines")
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()  # a NumPy number
    if isinstance(value, int | float):
        return repr(int(value) if isinstance(value, bool) else value)
    raise InvalidError(f"item {i}: {name} is a {type(value).__name__}, which a table does not hold")


def from_folder(pattern: str, field: str = "image", **fields: str) -> list[Item]:
    """Items from files: one per file that matches, in the order of the names (numbers in them count as numbers).

    pattern: of glob ("data/**/*_t1.nii.gz"), or with {name} for the part that tells the case: from_folder("data/{case}/t1.nii.gz",
    label="data/{case}/seg.nii.gz"); that part becomes a field of the item, and further patterns become further fields. Cases
    that lack one of them are an error. Errors: NotFoundError (nothing matches, or a case lacks a file).
    """
    names = re.findall(r"\{(\w+)\}", pattern)
    if fields and not names:
        raise InvalidError("further fields need a {name} in the pattern that tells the case")
    # glob.glob keeps the pattern's own spelling of the path, relative or not; Path.glob does not.
    paths = sorted(glob.glob(re.sub(r"\{\w+\}", "*", pattern), recursive=True), key=_natural)  # noqa: PTH207
    if not paths:
        raise NotFoundError(f"{pattern}: no file matches")
    items = []
    for path in paths:
        case = _match(pattern, path)
        if case is None:
            continue
        item = {field: path}
        for name, other in fields.items():
            found = other.format(**case)
            if not Path(found).exists():
                raise NotFoundError(f"{found}: the {name} of {path} is missing")
            item[name] = found
        items.append({**item, **case})
    return items


def _natural(path):
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", path)]


def _match(pattern, path):
    """The {name} parts of a path; None: it does not match (one name twice with different texts)."""
    out, seen = "", set()
    for part in re.split(r"(\{\w+\}|\*\*/|\*\*|\*|\?)", pattern):
        if re.fullmatch(r"\{\w+\}", part):
            name = part[1:-1]
            out += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
            seen.add(name)
        else:
            out += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part) or _glob_literal(part)
    m = re.fullmatch(out, path)
    return None if m is None else m.groupdict()


def _glob_literal(part):
    """Text of a pattern that may hold [sets]."""
    return "".join(p if p.startswith("[") else re.escape(p) for p in re.split(r"(\[[^\]]+\])", part))


def from_bids(
    folder: str | Path, suffix: str = "T1w", label: str | None = None, derivatives: str | Path | None = None
) -> list[Item]:
    """Items from a BIDS data set: one per image sub-*/[ses-*/]*/sub-*_SUFFIX.nii[.gz].

    Fields: image, subject, session ("" without), and every column of participants.tsv (numbers where all are numbers; n/a becomes
    NaN there, "" in text). label: suffix of a label map of the same subject and session, searched in `derivatives` (default: all of
    FOLDER/derivatives), e.g. "dseg". Errors: NotFoundError (folder, no image, a label that is missing).
    """
    folder = Path(folder)
    images = [p for p in folder.glob(f"sub-*/**/sub-*_{suffix}.nii*") if _is_image(p.name)]
    if not images:
        raise NotFoundError(f"{folder}: no image sub-*_{suffix}.nii.gz")
    people = _participants(folder / "participants.tsv")
    items = []
    for path in sorted(images, key=lambda p: _natural(str(p))):
        subject = re.match(r"sub-([A-Za-z0-9]+)", path.name)[1]
        session = re.search(r"_ses-([A-Za-z0-9]+)_", path.name)
        item = {"image": str(path), "subject": subject, "session": session[1] if session else ""}
        if label is not None:
            item["label"] = _bids_label(
                Path(derivatives) if derivatives else folder / "derivatives", item, label
            )
        items.append({**item, **people.get(subject, {})})
    fields = {name for item in items for name in item}
    for item in items:
        item.update({name: float("nan") for name in fields - item.keys()})
    return items


def _participants(path):
    if not path.is_file():
        return {}
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    out = {}
    for row in rows:
        out[(row.get("participant_id") or "").removeprefix("sub-")] = {}
    for name in (n for n in (rows[0] if rows else {}) if n and n != "participant_id"):
        values = [row[name] or "n/a" for row in rows]
        numbers = [float("nan") if v == "n/a" else _number(v) for v in values]
        numeric = all(not isinstance(n, str) for n in numbers)
        if numeric and any(isinstance(n, float) for n in numbers):
            numbers = [float(n) for n in numbers]
        texts = ["" if v == "n/a" else v for v in values]
        for row, value in zip(rows, numbers if numeric else texts, strict=True):
            out[(row.get("participant_id") or "").removeprefix("sub-")][name] = value
    return out


def _bids_label(root, item, suffix):
    session = f"ses-{item['session']}" if item["session"] else None
    found = [
        p
        for p in sorted(root.glob(f"**/sub-{item['subject']}_*{suffix}.nii*"))
        if _is_image(p.name) and (session is None or f"_{session}_" in p.name)
    ]
    if not found:
        raise NotFoundError(
            f"{root}: no label map {suffix} of sub-{item['subject']} {session or ''}".rstrip()
        )
    return str(found[0])


def from_dataset_json(path: str | Path, section: str = "training") -> list[Item]:
    """Items from the dataset.json of the Medical Segmentation Decathlon or of nnU-Net (or the folder that holds it).

    Decathlon: the entries of `section` ("training" with image and label, "test" with image). nnU-Net (version 2): imagesTr and
    labelsTr (or imagesTs) beside it; several channels per case become the fields image_0000, image_0001, … , one channel is called
    image; `case` names it. Errors: NotFoundError, CorruptError (no JSON, or entries of another form).
    """
    path = Path(path)
    path = path / "dataset.json" if path.is_dir() else path
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as e:
        raise CorruptError(f"{path}: no JSON: {e}") from None
    if not isinstance(data, dict):
        raise CorruptError(f"{path}: no JSON object")
    if isinstance(data.get(section), list):
        return [_decathlon_item(path, i, entry) for i, entry in enumerate(data[section])]
    if section in ("training", "test") and ("channel_names" in data or "file_ending" in data):
        return _nnunet(path.parent, data, section)
    raise CorruptError(f"{path}: it has no list '{section}' and is not nnU-Net's")


def _decathlon_item(path, i, entry):
    if isinstance(entry, str):
        entry = {"image": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str):
        raise CorruptError(f"{path}: entry {i} names no image")
    return {k: str(path.parent / v) if isinstance(v, str) and _is_image(v) else v for k, v in entry.items()}


def _nnunet(folder, data, section):
    ending, n = data.get("file_ending", ".nii.gz"), len(data.get("channel_names", {"0": ""}))
    images, labels = folder / ("imagesTr" if section == "training" else "imagesTs"), folder / "labelsTr"
    first = sorted(images.glob(f"*_0000{ending}"), key=lambda p: _natural(p.name))
    if not first:
        raise NotFoundError(f"{images}: no image *_0000{ending}")
    items = []
    for path in first:
        case = path.name.removesuffix(f"_0000{ending}")
        channels = [images / f"{case}_{c:04d}{ending}" for c in range(n)]
        names = ["image"] if n == 1 else [f"image_{c:04d}" for c in range(n)]
        item = dict(zip(names, map(str, channels), strict=True))
        if section == "training":
            item["label"] = str(labels / f"{case}{ending}")
        for name, file in item.items():
            if not Path(file).exists():
                raise NotFoundError(f"{file}: the {name} of case {case} is missing")
        items.append({**item, "case": case})
    return items


def from_dicom(
    folder: str | Path | Iterable[str | Path],
    modality: str | Iterable[str] | None = None,
    field: str = "image",
    threads: int = 0,
) -> list[Item]:
    """Items from DICOM files: one per series that has pixels, sorted as mt.dicom.scan sorts them.

    Fields: image (the series' files, a list: one picture in several files), and patient_id, study_uid, series_uid, modality,
    series_description, study_date. modality: only series of this one ("MR") or of these. A series that is no single volume fails when it is
    read (mt.Loader(on_error="skip") leaves it out). Errors: those of mt.dicom.scan; NotFoundError (no such series).
    """
    from .dicom import scan

    wanted = {modality} if isinstance(modality, str) else set(modality) if modality is not None else None
    items = []
    for series in scan(folder, threads):
        paths = [x["path"] for x in series.instances if x["has_pixels"]]
        if not paths or (wanted is not None and series.modality not in wanted):
            continue
        names = ("patient_id", "study_uid", "series_uid", "modality", "series_description", "study_date")
        items.append({field: paths} | {name: getattr(series, name) for name in names})
    if not items:
        raise NotFoundError(
            f"{folder}: no DICOM series with pixels{f' of modality {modality}' if wanted else ''}"
        )
    return items


def split(
    items: Iterable[Item],
    fractions: Sequence[float],
    seed: int = 0,
    stratify: str | Callable[[Item], Any] | None = None,
) -> list[list[Item]]:
    """Splits items at random into parts: train, val = split(items, (0.8, 0.2), seed=0, stratify="sex").

    fractions: of each part, their sum at most 1 (a rest is left out). stratify: a field, or a function of an item, whose values
    are spread over the parts as evenly as whole items allow. Depends on seed and on the items' order only; each part keeps that
    order. Sizes are rounded so that they add up. Errors: ValueError (fractions), KeyError (field).
    """
    items, fractions = list(items), [float(f) for f in fractions]
    if not fractions or min(fractions) < 0 or sum(fractions) > 1 + 1e-9:
        raise InvalidError(f"fractions must not be negative nor add up to more than 1: {fractions}")
    key = (
        stratify
        if callable(stratify)
        else (lambda item: item[stratify])
        if stratify is not None
        else lambda item: None
    )
    groups = {}
    for i, item in enumerate(items):
        groups.setdefault(key(item), []).append(i)
    draw = random.Random(seed)
    order = []  # each item at an even place within its group, so that cutting spreads every group over the parts
    for members in groups.values():
        draw.shuffle(members)
        shift = draw.random()
        order += [((k + shift) / len(members), i) for k, i in enumerate(members)]
    order = [i for _, i in sorted(order)]
    cuts, total = [0], 0.0
    for f in fractions:
        total += f
        cuts.append(min(len(items), int(total * len(items) + 0.5)))
    return [[items[i] for i in sorted(order[a:b])] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
