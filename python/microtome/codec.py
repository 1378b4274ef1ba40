"""Compressed bytes ↔ arrays, in memory: JPEG 2000 (ITU-T T.800) and HTJ2K (T.814), raw or in JP2 and JPH; JPEG (T.81),
JPEG-LS (T.87), and DICOM's RLE (PS3.5 G) and deflated frames.

    a = mt.codec.decode(data)                                   [Y, X], [Y, X, C], or a list where channel sizes differ
    a = mt.codec.decode(data, region=((y0, y1), (x0, x1)), reduce=1)
    data = mt.codec.encode(a)                                   HTJ2K, lossless, ready for an archive

`data` is bytes, bytearray, memoryview, mmap or a NumPy array of bytes. Only the code-blocks that a region touches at the wanted
resolution are decoded. Every function releases the interpreter's lock while it works and may be called from any thread.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core, _declare
from .errors import InvalidError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy import ndarray
    from numpy.typing import ArrayLike, DTypeLike

    Bytes = bytes | bytearray | memoryview | ndarray
    Region = tuple[tuple[int, int], tuple[int, int]]
    Ranges = Sequence[tuple[int, int]]

__all__ = [
    "Plan",
    "TransferSyntax",
    "decode",
    "decode_batch",
    "decode_partial",
    "decode_rows",
    "encode",
    "info",
    "plan",
    "transfer_syntaxes",
]

PROGRESSIONS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
STYLES = {"bypass": 1, "reset": 2, "termall": 4, "causal": 8, "predictable": 16, "segsym": 32}


class TransferSyntax(NamedTuple):
    """A DICOM transfer syntax of the JPEG 2000 family (PS3.5 A.4.4, A.4.6, 8.2.4, 8.2.14, 10.17, 10.18).

    uid, name: as PS3.6 has them. codec: "j2k" or "htj2k". lossless: only lossless streams are allowed. rpcl: the progression is
    RPCL, TLM is there, and the base resolution is at most 64 on its shorter side. multicomponent: may use Part 2's transform
    over components (T.801 annex J); streams without it are read, encode() does not write it.
    """

    uid: str
    name: str
    codec: str
    lossless: bool
    rpcl: bool = False
    multicomponent: bool = False


transfer_syntaxes: Mapping[str, TransferSyntax] = {
    s.uid: s
    for s in (
        TransferSyntax(
            "1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression (Lossless Only)", "j2k", lossless=True
        ),
        TransferSyntax("1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression", "j2k", lossless=False),
        TransferSyntax(
            "1.2.840.10008.1.2.4.92",
            "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
            "j2k",
            lossless=True,
            multicomponent=True,
        ),
        TransferSyntax(
            "1.2.840.10008.1.2.4.93",
            "JPEG 2000 Part 2 Multi-component Image Compression",
            "j2k",
            lossless=False,
            multicomponent=True,
        ),
        TransferSyntax(
            "1.2.840.10008.1.2.4.201",
            "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
            "htj2k",
            lossless=True,
        ),
        TransferSyntax(
            "1.2.840.10008.1.2.4.202",
            "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
            "htj2k",
            lossless=True,
            rpcl=True,
        ),
        TransferSyntax(
            "1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000 Image Compression", "htj2k", lossless=False
        ),
    )
}
"""DICOM's JPEG 2000 and HTJ2K transfer syntaxes by UID: what encode(transfer_syntax=…) holds a stream to."""


# ---- decoding --------------------------------------------------------------------------------------------


def decode(
    data: Bytes,
    codec: str | None = None,
    region: Region | None = None,
    reduce: int = 0,
    layers: int | None = None,
    components: int | Sequence[int] | None = None,
    out: ndarray | list[ndarray] | None = None,
    dtype: DTypeLike = None,
    to_rgb: bool = False,
    threads: int = 1,
    *,
    planar: bool = False,
    slope: float | None = None,
    intercept: float | None = None,
    window: tuple[float, float] | None = None,
    range: tuple[float, float] | None = None,
    present: Ranges | None = None,
    max_bytes: int | None = None,
    shape: Sequence[int] | None = None,
) -> ndarray | list[ndarray]:
    """Decodes one picture: [Y, X] of one component, [Y, X, C] of several, a list of [Y, X] where they differ in size.

    region: ((y0, y1), (x0, x1)), half open, in pixels of the reduced picture, from its upper left corner; an end of None is the
    picture's. reduce: resolutions left out, each halves the size; more than the stream has is an error that names the most.
    layers: quality layers used; None: all. components: one channel's number, or several in the wanted order. out: array of the
    result's shape, any strides, which is filled and returned (a list of arrays where sizes differ). dtype: of the result;
    default: the smallest integer type that holds precision and sign, float32 with a rescale. to_rgb: sYCC and other enumerated
    colour spaces become RGB; else colours stay as they are stored. threads: 1, or how many share the work; 0: all that
    mt.set_threads allows. planar: [C, Y, X]. slope, intercept, then window=(center, width) onto range=(low, high) (default
    (0, 1); DICOM PS3.3 C.11.2.1.2 linear): applied in the last store. present: the (offset, size) ranges of `data` that really
    are there, as plan() gives them. max_bytes: most bytes of a result. shape: of codec="rle" and "deflate", which do not tell what
    they hold: (height, width) or (height, width, channels), and dtype is then that of the stored samples ("bool": packed bits, the
    first lowest). codec None finds out JPEG 2000, JPEG and JPEG-LS by the bytes.
    JPEG components are as stored unless to_rgb; their planes are brought to one size. Samples are level-shifted, the stream's colour transform is undone, palettes are expanded; bytes after the end are ignored.
    Errors: CorruptError (missing or damaged data, with the offset), UnsupportedError, LimitError, InvalidError (region, reduce,
    components, shape of out). Source: T.800, T.814.
    """
    options = _options(
        codec,
        region,
        reduce,
        layers,
        components,
        dtype,
        to_rgb,
        planar,
        (slope, intercept, window, range),
        present,
        max_bytes,
        data=data,
        shape=shape,
    )
    return _core.codec_decode(data, options, out, False, threads)


def decode_partial(
    data: Bytes,
    codec: str | None = None,
    region: Region | None = None,
    reduce: int = 0,
    layers: int | None = None,
    components: int | Sequence[int] | None = None,
    out: ndarray | list[ndarray] | None = None,
    dtype: DTypeLike = None,
    to_rgb: bool = False,
    threads: int = 1,
    *,
    planar: bool = False,
    slope: float | None = None,
    intercept: float | None = None,
    window: tuple[float, float] | None = None,
    range: tuple[float, float] | None = None,
    present: Ranges | None = None,
    max_bytes: int | None = None,
    shape: Sequence[int] | None = None,
) -> tuple[ndarray | list[ndarray], dict[str, Any]]:
    """Decodes what there is of a cut or damaged stream: (picture, report). Arguments and picture as decode's; what is missing
    counts as zero coefficients (mid-gray where nothing is known).

    report: complete (nothing was missing or damaged), levels (the smallest reduce at which all data was there; −1: none),
    bytes_used (up to the last byte that was used), blocks, blocks_decoded, blocks_damaged (code-blocks of the wanted part; that
    had data; that broke the rules), warnings (the first eight sentences), n_warnings (of all).
    Errors: as decode, but for damaged data behind a whole main header.
    """
    options = _options(
        codec,
        region,
        reduce,
        layers,
        components,
        dtype,
        to_rgb,
        planar,
        (slope, intercept, window, range),
        present,
        max_bytes,
        data=data,
        shape=shape,
    )
    return _core.codec_decode(data, options, out, True, threads)


def decode_batch(
    frames: Sequence[Bytes],
    region: Region | None = None,
    reduce: int = 0,
    out: ndarray | None = None,
    threads: int = 0,
    errors: str = "raise",
    *,
    codec: str | None = None,
    layers: int | None = None,
    components: int | Sequence[int] | None = None,
    dtype: DTypeLike = None,
    to_rgb: bool = False,
    planar: bool = False,
    slope: float | None = None,
    intercept: float | None = None,
    window: tuple[float, float] | None = None,
    range: tuple[float, float] | None = None,
    max_bytes: int | None = None,
    shape: Sequence[int] | None = None,
) -> list[Any] | ndarray:
    """Decodes many pictures side by side; frames with the header of the one before need no set-up.

    frames: streams; other arguments as decode's, for every frame. out: [N, …], any strides, filled: frame i in out[i]; all
    frames must be of its shape. Without out a list of arrays, which frames of one shape share as views of one [N, …] block.
    threads 0: all that mt.set_threads allows. errors: "raise": the first failing frame's error; "return": a list in which that
    frame's exception stands in its place (its part of out is zeros).
    Returns out when it was given and errors is "raise", else a list. Errors: as decode.
    """
    if errors not in ("raise", "return"):
        raise InvalidError(f'errors must be "raise" or "return", not {errors!r}')
    frames, collect = list(frames), errors == "return"
    options = _options(
        codec,
        region,
        reduce,
        layers,
        components,
        dtype,
        to_rgb,
        planar,
        (slope, intercept, window, range),
        None,
        max_bytes,
        shape=shape,
    )
    if out is not None:
        array, outcomes = _core.codec_batch(frames, options, out, None, None, collect, threads)
        return [e or a for e, a in zip(outcomes, array, strict=True)] if collect else out
    results: list[Any] = [None] * len(frames)
    for layout, numbers in _by_layout(frames, options, results).items():
        if layout is None:  # channels of sizes of their own: one by one
            for i in numbers:
                results[i] = _attempt(_core.codec_decode, frames[i], options, None, False, threads)
            continue
        array, outcomes = _core.codec_batch(
            [frames[i] for i in numbers], options, None, *layout, True, threads
        )
        for k, i in enumerate(numbers):
            results[i] = outcomes[k] or array[k]
    failed = next((r for r in results if isinstance(r, Exception)), None)
    if failed is not None and not collect:
        raise failed
    return results


def decode_rows(
    data: Bytes,
    sink: Callable[[int, ndarray], Any] | None = None,
    region: Region | None = None,
    components: int | Sequence[int] | None = None,
    dtype: DTypeLike = None,
    threads: int = 1,
    *,
    codec: str | None = None,
    reduce: int = 0,
    layers: int | None = None,
    to_rgb: bool = False,
    slope: float | None = None,
    intercept: float | None = None,
    window: tuple[float, float] | None = None,
    range: tuple[float, float] | None = None,
    max_bytes: int | None = None,
    shape: Sequence[int] | None = None,
) -> Iterator[tuple[int, ndarray]] | None:
    """Decodes from the top in bands of rows, with memory of O(width) whatever the height.

    sink: called as sink(y, rows) for rows y … y + len(rows) of the wanted part ([rows, X] or [rows, X, C], its own to keep); an
    exception in it ends decoding and is passed on. Without a sink: an iterator of (y, rows); another thread decodes at most two
    bands ahead, and closing the iterator ends it. Other arguments and errors as decode's.
    """
    options = _options(
        codec,
        region,
        reduce,
        layers,
        components,
        dtype,
        to_rgb,
        False,
        (slope, intercept, window, range),
        None,
        max_bytes,
        data=data,
        shape=shape,
    )
    if sink is not None:
        return _core.codec_rows(data, options, sink, threads)
    return _rows(data, options, threads)


# ---- which bytes -----------------------------------------------------------------------------------------


class Plan(list):
    """A list of (offset, size): ascending, disjoint byte ranges. exact: False where packets had no lengths, so that whole
    tile-parts are in. need_bytes: 0, or how many bytes from the start would do when those given end too early to tell.
    bytes: sum of the sizes."""

    exact: bool
    need_bytes: int

    @property
    def bytes(self) -> int:
        """Sum of the sizes."""
        return sum(size for _, size in self)


def plan(
    data: Bytes,
    total: int | None = None,
    region: Region | None = None,
    reduce: int = 0,
    layers: int | None = None,
    components: int | Sequence[int] | None = None,
    *,
    codec: str | None = None,
) -> Plan:
    """Which bytes decode() needs for this region, resolution, layers and components: a Plan, a list of (offset, size).

    data: the file, or its beginning. total: bytes of the whole file; None: data is the whole file. Found by TLM and PLT markers
    where there are any, else by a scan of packet headers, which needs the bytes. A reader fetches the ranges into a buffer of
    `total` bytes (what else is in it does not matter) and calls decode(buffer, …, present=plan).
    Errors: as decode.
    """
    options = _options(
        codec, region, reduce, layers, components, None, False, False, None, None, None, data=data
    )
    ranges, exact, need_bytes = _core.codec_plan(data, total or 0, options)
    result = Plan(ranges)
    result.exact, result.need_bytes = exact, need_bytes
    return result


def info(data: Bytes, max_bytes: int | None = None) -> dict[str, Any]:
    """What a stream is, from its headers alone: codec ("htj2k", "j2k", "jpeg", "jpegls", "rle"), container ("codestream", "jp2", "jph"), width, height,
    origin (y, x on the reference grid), tile (height, width), tiles (rows, columns), components (a list of dicts: width, height,
    dx, dy, bits, signed, levels, block (height, width), reversible), n_components, channels (that decoding gives), color,
    palette_entries, levels, min_levels (the most that reduce may be), layers, progression, mct, reversible, ht,
    lossless_capable, precincts (None: the largest; else (height, width) per resolution, lowest first), markers (dicts: name,
    code, offset, size), tile_parts, plt, tlm, codestream_offset, codestream_bytes, warnings, near_lossless ("jpegls": the
    largest error), predictor ("jpeg", lossless: 1 … 7). progression of "jpeg" is its process, of "jpegls" its interleaving. "rle" does not tell width, height and
    components (0); its markers are the segments.
    Errors: CorruptError, UnsupportedError (no codec knows the bytes), LimitError.
    """
    return _core.codec_info(data, max_bytes or 0)


# ---- encoding --------------------------------------------------------------------------------------------


def encode(
    a: ArrayLike | Sequence[ArrayLike],
    codec: str | None = None,
    lossless: bool | None = None,
    quality: float | None = None,
    step: float | None = None,
    rate: float | None = None,
    levels: int | None = None,
    block: tuple[int, int] = (64, 64),
    progression: str | None = None,
    precincts: Sequence[tuple[int, int]] | None = None,
    tile: int | tuple[int, int] | None = None,
    tile_parts: str | None = None,
    mct: bool | None = None,
    bits: int | None = None,
    container: str = "codestream",
    threads: int = 1,
    *,
    transfer_syntax: str | None = None,
    planar: bool = False,
    layers: int | None = None,
    style: str | Sequence[str] = (),
    subsampling: Sequence[tuple[int, int]] | None = None,
    origin: tuple[int, int] = (0, 0),
    tile_origin: tuple[int, int] = (0, 0),
    sop: bool = False,
    eph: bool = False,
    plt: bool = True,
    tlm: bool = True,
    color: str | None = None,
    comment: str | None = None,
    near_lossless: int = 0,
    interleave: str | None = None,
    predictor: int | None = None,
) -> bytes:
    """Encodes [Y, X], [Y, X, C], planes [C, Y, X] (planar=True), or a list of [Y, X] planes of their own sizes; integers, any
    strides. The defaults write HTJ2K, lossless, RPCL, with TLM and PLT; tile_parts="R" makes it what an archive keeps.

    codec: "htj2k" (default), "j2k", "jpeg" (lossless: SOF3; with quality: baseline, 8 bits), "jpegls" or "rle" (bool: packed
    bits). near_lossless: "jpegls": the largest error of a sample. interleave: "jpegls": "none", "line" (default for 4
    channels) or "sample" (for 3). predictor: lossless "jpeg": 1 … 7. lossless: default True, unless quality or step is given. quality: 1 … 100, as JPEG's.
    step: base quantiser step as a fraction of the nominal range (lossy default 1/256). rate: "j2k": most bits per pixel, by
    leaving out coding passes, of lossless or lossy coding. levels: wavelet decompositions, 0 … 32; None: 5, or
    more until the shorter side of the lowest resolution is at most 64, or fewer once it is at most 8. block: code-block height and width, powers of two, 4 … 1024, product at most 4096.
    progression: "LRCP", "RLCP", "RPCL" (default), "PCRL" or "CPRL". precincts: (height, width), powers of two, from the highest
    resolution down, the last repeats. tile: (height, width) or one number; None: one tile. tile_parts: "R": one per resolution
    (RPCL, RLCP; what transfer syntax .4.202 gets), None or "": one per tile. mct: the colour transform over the first three channels; None: where there
    are three or more of one kind. bits: precision; None: the dtype's. container: "codestream", "jp2" or "jph".
    transfer_syntax: a UID of transfer_syntaxes; sets codec, losslessness and options as it demands, contradictions are errors.
    layers: quality layers ("j2k"). style: of "j2k" code-blocks, among "bypass", "reset", "termall", "causal", "predictable",
    "segsym". subsampling: per plane (dy, dx); None: from the planes' sizes. origin, tile_origin: (y, x) on the reference grid.
    sop, eph: packet markers. plt, tlm: length markers. color: of the boxes: "gray", "srgb", "sycc". comment: a COM marker.
    Errors: InvalidError (arguments, shape, a value beyond bits), UnsupportedError (dtype, transfer syntax). Source: T.800, T.814.
    """
    if transfer_syntax is not None:
        codec, lossless, progression = _dicom(
            transfer_syntax, codec, lossless, quality, step, rate, progression, container, tlm
        )
        if tile_parts is None and transfer_syntaxes[transfer_syntax].rpcl:
            tile_parts = "R"
    lossless = (quality is None and step is None) if lossless is None else bool(lossless)
    if lossless and (quality is not None or step is not None):
        raise InvalidError("quality and step are of lossy coding: lossless=False")
    planes = list(a) if isinstance(a, (list, tuple)) and a and not _is_number_list(a) else None
    tile = (0, 0) if tile is None else (tile, tile) if isinstance(tile, int) else tuple(tile)
    if progression is not None and progression not in PROGRESSIONS:
        raise InvalidError(f"progression must be one of {', '.join(PROGRESSIONS)}, not {progression!r}")
    options = (
        codec,
        not lossless,
        float(quality or 0),
        float(step or 0),
        float(rate or 0),
        layers or 0,
        -1 if levels is None else levels,
        _pair(block, "block"),
        progression,
        None if precincts is None else tuple(_pair(p, "a precinct") for p in precincts),
        _pair(tile, "tile"),
        tile_parts,
        -1 if mct is None else int(mct),
        bits or 0,
        _style(style),
        _subsampling(planes, subsampling),
        _pair(origin, "origin"),
        _pair(tile_origin, "tile_origin"),
        sop,
        eph,
        plt,
        tlm,
        container,
        color,
        comment,
        near_lossless,
        interleave,
        predictor or 0,
    )
    return _core.codec_encode(a if planes is None else planes, planar, options, threads)


# ---- from arguments to what the extension takes ----------------------------------------------------------


def _pair(v, what):
    try:
        first, second = (k.__index__() for k in v)
    except (TypeError, ValueError, AttributeError):
        raise InvalidError(f"{what} must be a pair of integers, not {v!r}") from None
    return first, second


def _is_number_list(a):
    """Whether a list is one picture, [[1, 2], [3, 4]], and not planes."""
    return not hasattr(a[0], "shape")


def _style(style):
    names = style.split(",") if isinstance(style, str) else style
    flags = 0
    for name in names:
        if name.strip() and name.strip() not in STYLES:
            raise InvalidError(f"style {name!r} is none of {', '.join(STYLES)}")
        flags |= STYLES.get(name.strip(), 0)
    return flags


def _subsampling(planes, given):
    """Per plane (dy, dx); from the sizes where none was given: the grid is the largest plane's."""
    if given is not None:
        return tuple(_pair(p, "subsampling") for p in given)
    if planes is None:
        return None
    if any(getattr(p, "ndim", 0) != 2 for p in planes):
        raise InvalidError("planes must be arrays [Y, X]")
    sizes = [p.shape for p in planes]
    full = [max(s[i] for s in sizes) for i in (0, 1)]
    out = []
    for size in sizes:
        steps = []
        for n, whole in zip(size, full, strict=True):
            fitting = [d for d in range(1, 256) if n and -(-whole // d) == n]
            if not fitting:
                raise InvalidError(f"no subsampling of {full} gives a plane of {tuple(size)}")
            steps.append(fitting[0])
        out.append(tuple(steps))
    return tuple(out)


def _dicom(uid, codec, lossless, quality, step, rate, progression, container, tlm):
    """codec, lossless and progression as a transfer syntax demands; arguments that contradict it are errors."""
    syntax = transfer_syntaxes.get(str(uid))
    if syntax is None or syntax.multicomponent:
        raise UnsupportedError(
            f"transfer syntax {uid} is not written"
            + (": Part 2's multi-component transform" if syntax else "")
        )
    if codec not in (None, syntax.codec):
        raise InvalidError(f"{syntax.name} is {syntax.codec}, not {codec}")
    if syntax.lossless and (lossless is False or (quality, step, rate) != (None, None, None)):
        raise InvalidError(f"{syntax.name} allows no loss")
    if container != "codestream":
        raise InvalidError("a DICOM frame is a bare codestream (PS3.5 A.4.4)")
    if syntax.rpcl and (progression not in (None, "RPCL") or not tlm):
        raise InvalidError(f"{syntax.name} is RPCL with TLM")
    return syntax.codec, True if syntax.lossless else lossless, "RPCL" if syntax.rpcl else progression


def _options(
    codec,
    region,
    reduce,
    layers,
    components,
    dtype,
    to_rgb,
    planar,
    rescale,
    present,
    max_bytes,
    data=None,
    shape=None,
):
    """The tuple that codec.c takes apart."""
    if isinstance(components, int):
        components = (components,)
    dtype = None if dtype is None else _declare.dtype_name(dtype)
    rescale = _rescale(*rescale) if rescale else None
    stored = dtype if shape is not None else None
    if shape is not None:
        shape = _stored_shape(shape, dtype, codec)
        dtype = None if rescale else dtype
    return (
        codec,
        None if region is None else _region(region, reduce, data, shape),
        reduce,
        layers or 0,
        None if components is None else tuple(components),
        dtype,
        to_rgb,
        planar,
        rescale,
        None if present is None else tuple(present),
        max_bytes or 0,
        shape,
        stored,
    )


def _stored_shape(shape, dtype, codec):
    """(height, width, channels) of a stream that does not tell."""
    if codec not in ("rle", "deflate"):
        raise InvalidError('shape is of codec="rle" and "deflate", which do not tell it')
    try:
        sizes = tuple(v.__index__() for v in shape)
    except (TypeError, AttributeError):
        sizes = ()
    if len(sizes) not in (2, 3) or min(sizes) < 1 or dtype is None:
        raise InvalidError(
            f"shape must be (height, width) or (height, width, channels), with a dtype, not {shape!r}"
        )
    return (*sizes, 1)[:3]


def _region(region, reduce, data, shape):
    """(y0, y1, x0, x1); ends that are None are the reduced picture's."""
    try:
        (y0, y1), (x0, x1) = region
        ends = [None if v is None else v.__index__() for v in (y0, y1, x0, x1)]
    except (TypeError, ValueError, AttributeError):
        raise InvalidError(f"region must be ((y0, y1), (x0, x1)), not {region!r}") from None
    if None in ends[1::2]:
        if data is None:
            raise InvalidError("region of a batch needs all four numbers")
        facts = info(data) if shape is None else {"origin": (0, 0), "height": shape[0], "width": shape[1]}
        for i, (start, size) in ((1, (facts["origin"][0], "height")), (3, (facts["origin"][1], "width"))):
            if ends[i] is None:
                unit = 1 << reduce
                ends[i] = -(-(start + facts[size]) // unit) - -(-start // unit)
    return tuple(0 if v is None else v for v in ends)


def _rescale(slope, intercept, window, range):
    if slope is None and intercept is None and window is None:
        if range is not None:
            raise InvalidError("range is of a window")
        return None
    center, width = (0.0, 0.0) if window is None else window
    if window is not None and not width > 0:
        raise InvalidError(f"a window's width is more than 0, not {width!r}")
    low, high = (0.0, 1.0) if range is None else range
    return (
        1.0 if slope is None else float(slope),
        float(intercept or 0),
        float(center),
        float(width),
        float(low),
        float(high),
    )


def _attempt(call, *arguments):
    """The call's result, or its exception."""
    try:
        return call(*arguments)
    except Exception as e:  # whatever it is stands in the frame's place
        return e


def _by_layout(frames, options, results):
    """{(shape, dtype) or None where channel sizes differ: numbers of frames}; failed ones go to results."""
    groups: dict[Any, list[int]] = {}
    for i, frame in enumerate(frames):
        layout = _attempt(_core.codec_shape, frame, options)
        if isinstance(layout, Exception):
            results[i] = layout
        else:
            groups.setdefault(layout, []).append(i)
    return groups


class _Closed(Exception):
    """Nobody wants the rows any more."""


def _rows(data, options, threads):
    """An iterator over bands that another thread decodes."""
    ready: queue.Queue = queue.Queue(maxsize=2)
    closed = threading.Event()

    def put(item):
        while not closed.is_set():
            try:
                return ready.put(item, timeout=0.05)
            except queue.Full:
                continue
        raise _Closed

    def work():
        try:
            _core.codec_rows(data, options, lambda y, rows: put((y, rows)), threads)
            put(None)
        except _Closed:
            pass
        except BaseException as e:
            with contextlib.suppress(_Closed):
                put(e)

    worker = threading.Thread(target=work, name="microtome rows", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        worker.join()
