"""A data set: its elements by keyword, tag or path, as values, as JSON, as pixels; and changed, which makes another one.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import _core
from ..errors import InvalidError, NotFoundError
from .changes import changes_of, write_options
from .pixels import Overlay, PixelInfo, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    Path = str | os.PathLike[str]
    Key = str | int | tuple[int, int]

__all__ = ["Dataset", "Element", "MissingError", "PersonName", "read"]

TOP = -1  # the number of the data set itself, beside those of elements and items


class MissingError(NotFoundError, KeyError):
    """The data set has no such element (MTM_E_NOTFOUND)."""

    __str__ = Exception.__str__


class PersonName(str):
    """A PN value: "Yamada^Tarou=山田^太郎=やまだ^たろう", with its groups and the parts of the first that is there (PS3.5 6.2.1)."""

    __slots__ = ()

    def _group(self, i: int) -> str:
        groups = self.split("=")
        return groups[i] if i < len(groups) else ""

    def _part(self, i: int) -> str:
        parts = (self.alphabetic or self.ideographic or self.phonetic).split("^")
        return parts[i] if i < len(parts) else ""

    @property
    def alphabetic(self) -> str:
        return self._group(0)

    @property
    def ideographic(self) -> str:
        return self._group(1)

    @property
    def phonetic(self) -> str:
        return self._group(2)

    @property
    def family_name(self) -> str:
        return self._part(0)

    @property
    def given_name(self) -> str:
        return self._part(1)

    @property
    def middle_name(self) -> str:
        return self._part(2)

    @property
    def prefix(self) -> str:
        return self._part(3)

    @property
    def suffix(self) -> str:
        return self._part(4)


class Element:
    """One element: its place in the file and its value, which is made when asked for.

    tag: group << 16 | element. length_bytes, offset_bytes: of the value in the file (−1: not in a file). path: how the whole data set
    names it.
    """

    __slots__ = ("_dataset", "_number", "length_bytes", "offset_bytes", "tag", "vr")

    def __init__(self, dataset: Dataset, number: int) -> None:
        self._dataset, self._number = dataset, number
        self.tag, vr, flags, _, self.length_bytes, self.offset_bytes = dataset._core.element(number)
        self.vr = "SQ" if flags & 2 else vr

    @property
    def keyword(self) -> str:
        """ "" for private and unknown elements."""
        found = None if self.is_private else _core.dicom_entry(self.tag)
        return found[3] if found else ""

    @property
    def name(self) -> str:
        found = None if self.is_private else _core.dicom_entry(self.tag)
        return found[4] if found else ""

    @property
    def is_private(self) -> bool:
        return bool(self.tag >> 16 & 1)

    @property
    def path(self) -> str:
        return self._dataset._prefix + (self.keyword or f"{self.tag:08X}")

    @property
    def value(self) -> Any:
        return self._dataset._value(self._number, self.vr)

    @property
    def values(self) -> list[Any]:
        """Always a list, empty where there is no value."""
        v = self.value
        return v if isinstance(v, list) else [] if v is None or v == "" else [v]

    @property
    def raw(self) -> bytes:
        """The bytes of the value as they lie in the file."""
        return self._dataset._core.bytes(self._number)

    def __repr__(self) -> str:
        return (
            f"<Element ({self.tag >> 16:04X},{self.tag & 0xFFFF:04X}) {self.vr} {self.keyword or 'private'}>"
        )


class Dataset:
    """A data set, or an item of a sequence. See the module's text for what the values are."""

    __slots__ = ("_core", "_item", "_prefix")

    def __init__(self, core: Any, item: int = TOP, prefix: str = "") -> None:
        self._core, self._item, self._prefix = core, item, prefix

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in Dataset.__slots__:
            raise AttributeError(
                f"data sets never change: ds.edit({{{name!r}: …}}) makes another one, which save() writes"
            )
        object.__setattr__(self, name, value)

    # ---- look-up

    def _number(self, key: Key) -> int:
        """The number of an element; −1: absent."""
        if isinstance(key, tuple):
            group, element = key
            return self._core.find(self._item, group << 16 | element)
        if isinstance(key, int):
            return self._core.find(self._item, key)
        if not isinstance(key, str):
            raise TypeError(f"a keyword, path or tag is wanted, not {type(key).__name__}")
        found = _core.dicom_entry(key) if key.isidentifier() else None
        if found:
            return self._core.find(self._item, found[0])
        try:
            return self._core.find_path(self._prefix + key)
        except NotFoundError:
            return -1

    def _value(self, number: int, vr: str) -> Any:
        v = self._core.value(number)
        if vr == "SQ":
            tag = self._core.element(number)[0]
            return [Dataset(self._core, n, f"{self._prefix}{tag:08X}[{i}].") for i, n in enumerate(v)]
        if vr == "PN":
            return [PersonName(s) for s in v] if isinstance(v, list) else PersonName(v)
        return v

    def _get(self, number: int) -> Any:
        _, vr, flags, *_ = self._core.element(number)
        if not vr:  # an item that a path ended with
            return self._item_dataset(number)
        return self._value(number, "SQ" if flags & 2 else vr)

    def _item_dataset(self, number: int) -> Dataset:
        prefix, at = "", number
        while at >= 0:
            sequence = self._core.element(at)[3]
            tag, _, _, parent, _, _ = self._core.element(sequence)
            prefix = f"{tag:08X}[{self._core.children(sequence).index(at)}].{prefix}"
            at = parent
        return Dataset(self._core, number, prefix)

    def __getitem__(self, key: Key) -> Any:
        number = self._number(key)
        if number < 0:
            where = f" in {self._prefix[:-1]}" if self._prefix else ""
            raise MissingError(f"no element {_shown(key)}{where}")
        return self._get(number)

    def __getattr__(self, keyword: str) -> Any:
        if keyword.startswith("__"):
            raise AttributeError(keyword)
        found = _core.dicom_entry(keyword)
        if not found:
            raise AttributeError(f"DICOM has no keyword {keyword!r}{_suggestion(keyword, self)}")
        number = self._core.find(self._item, found[0])
        if number < 0:
            raise AttributeError(f"this data set has no {keyword}")
        return self._get(number)

    def get(self, key: Key, default: Any = None) -> Any:
        """As ds[key]; `default` where there is no such element or keyword."""
        try:
            number = self._number(key)
        except InvalidError:
            return default
        return default if number < 0 else self._get(number)

    def element(self, key: Key) -> Element:
        """The element with its VR, place and bytes. Errors: MissingError."""
        number = self._number(key)
        if number < 0:
            raise MissingError(f"no element {_shown(key)}")
        return Element(self, number)

    def __contains__(self, key: object) -> bool:
        try:
            return self._number(key) >= 0  # type: ignore[arg-type]
        except InvalidError:
            return False

    def __iter__(self) -> Iterator[Element]:
        """The elements, in file order."""
        return (Element(self, n) for n in self._core.children(self._item))

    def __len__(self) -> int:
        return len(self._core.children(self._item))

    def __bool__(self) -> bool:
        return True

    def walk(self) -> Iterator[Element]:
        """All elements, those inside sequences too, each after the one it lies in."""
        for e in self:
            yield e
            if e.vr == "SQ":
                for item in e.value:
                    yield from item.walk()

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *(e.keyword for e in self if e.keyword)})

    # ---- the whole

    @property
    def path(self) -> str:
        """The file, as opened; "" for one that was not read from a file."""
        return self._core.path()

    @property
    def transfer_syntax(self) -> str:
        """The UID of the transfer syntax; guessed where the file says none (then there is a warning)."""
        return self._core.transfer_syntax()

    @property
    def warnings(self) -> list[str]:
        """What was against the standard and tolerated, one sentence each."""
        return self._core.warnings()

    def to_json(
        self,
        keywords: bool = False,
        *,
        meta: bool = False,
        pixels: bool = True,
        inline_bytes: int | None = None,
        bulk_uri: str | None = None,
        indent: int = 0,
    ) -> str:
        """The whole data set as JSON: the DICOM JSON model of PS3.18 F, or, with keywords, {"PatientID": "x", …}.

        meta: with the file meta information. pixels: pixel data is referred to, else left out. inline_bytes: longest
        binary value that is given in base64 (default 1024, by keyword 64); longer ones by reference. bulk_uri: what a
        BulkDataURI begins with; default "file:" and the path.
        """
        if self._item != TOP:
            raise InvalidError("only a whole data set is written as JSON")
        if inline_bytes is None:
            inline_bytes = 64 if keywords else 1024
        return self._core.to_json(keywords, meta, not pixels, inline_bytes, bulk_uri, indent)

    def to_dict(self, keywords: bool = False, **options: Any) -> dict[str, Any]:
        """to_json(keywords, …) as a dict."""
        return json.loads(self.to_json(keywords, **options))

    # ---- what is made of it

    def edit(self, changes: Mapping[Any, Any]) -> Dataset:
        """A new data set with {"PatientID": "x", "PatientAge": None, "A[0].B": 1}: put, removed, changed inside a sequence's item.

        Values are as in new(). All else stays as it is, pixel data too, which stays in this data set's file.
        """
        if self._item != TOP:
            raise InvalidError("only a whole data set is edited; name the item by its path")
        return Dataset(_core.dicom_build(self._core, changes_of(changes)))

    def save(self, path: Path, transfer_syntax: str | None = None, **options: Any) -> None:
        """Writes a Part 10 file; the old one stays until the new is whole.

        transfer_syntax: a UID or keyword to bring the pixels into, losslessly and with proof; None: as it is. options: lossy=False,
        proof=True, basic_table_only=False, uid_root=None, threads=0. Errors: UnsupportedError, InvalidError (would lose), CorruptError
        (the source's pixels), IOFailedError.
        """
        if self._item != TOP:
            raise InvalidError("only a whole data set is written")
        _core.dicom_write(self._core, os.fspath(path), write_options(transfer_syntax, **options))

    # ---- pixels

    def pixels(
        self,
        frame: int | None = None,
        *,
        raw: bool = False,
        modality: bool = False,
        voi: bool = False,
        window: int = 0,
        dtype: Any = None,
        threads: int = 1,
    ) -> np.ndarray:
        """The frames as [F, Y, X] or [F, Y, X, C]; of one frame (from 0) without F.

        Gray as stored, palettes and YBR as RGB. raw: samples as decoded. modality: float32 after the modality LUT or the rescale slope
        and intercept of each frame. voi: float32 in 0 … 255, after that the VOI LUT or window number `window` (none: each frame from
        its smallest value to its largest), MONOCHROME1 turned. dtype: of the result, values rounded and clamped.
        Warns with mt.errors.PixelWarning where codestream and header disagree. Errors: NotFoundError (no pixel data), CorruptError,
        UnsupportedError, InvalidError (no such frame or window), LimitError.
        """
        return read_frames(self._whole(), frame, raw, modality, voi, window, dtype, threads)

    def pixel_info(self) -> PixelInfo:
        """What the pixel attributes say, defaults filled in; no pixel data is read. Errors: NotFoundError (none), CorruptError."""
        return PixelInfo(**_core.dicom_pixel_info(self._whole()))

    def overlay(self, i: int = 0) -> Overlay:
        """Overlay i (the groups 60xx in order): bits and origin. Errors: InvalidError (no such overlay), CorruptError."""
        return Overlay(*_core.dicom_overlay(self._whole(), i))

    def frame_bytes(self, frame: int = 0) -> bytes:
        """A frame as it is stored: its codestream, fragments joined, or its native samples. Errors: InvalidError, CorruptError."""
        return _core.dicom_frame_bytes(self._whole(), frame)

    def _whole(self) -> Any:
        if self._item != TOP:
            raise InvalidError("only a whole data set has pixels; this is an item of a sequence")
        return self._core

    def __repr__(self) -> str:
        return self._core.dump(self._item, 110).rstrip("\n")


def _shown(key: Key) -> str:
    if isinstance(key, tuple):
        key = key[0] << 16 | key[1]
    return f"({key >> 16:04X},{key & 0xFFFF:04X})" if isinstance(key, int) else repr(key)


def _suggestion(keyword: str, dataset: Dataset) -> str:
    import difflib

    near = difflib.get_close_matches(keyword, [e.keyword for e in dataset if e.keyword], 1)
    return f"; did you mean {near[0]}?" if near else ""


def read(source: Path | bytes | BinaryIO, force: bool = False, stop_before_pixels: bool = False) -> Dataset:
    """Reads a data set from a path, bytes-like object, or binary file.

    force: also bytes that do not look like DICOM. stop_before_pixels: leave out pixel data and what follows. Large values stay in the
    file until asked for: it must not change meanwhile. Errors: NotFoundError, UnsupportedError (no DICOM), CorruptError, LimitError.
    """
    if isinstance(source, (str, os.PathLike)):
        return Dataset(_core.Dicom(os.fspath(source), False, "", force, stop_before_pixels))
    name = "memory"
    if hasattr(source, "read"):
        name = str(getattr(source, "name", name))
        source = source.read()
    return Dataset(_core.Dicom(source, True, name, force, stop_before_pixels))
