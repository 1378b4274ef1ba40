"""Images: one handle for every picture, opened lazily and read by box; writing and converting.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import _core, _declare
from .errors import ConflictError, InvalidError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import dtype as DType, ndarray
    from numpy.typing import ArrayLike, DTypeLike

    Path = str | bytes | os.PathLike[str]
    Box = Sequence[tuple[int | None, int | None]]


class Level(tuple):
    """One resolution of an image: its shape as a tuple, and .shape, .downsample (exact, 1.0 for level 0), .mpp (µm per
    pixel (y, x), None for volumes)."""

    def __new__(
        cls, shape: Sequence[int], downsample: float = 1.0, mpp: tuple[float, float] | None = None
    ) -> Level:
        self = super().__new__(cls, shape)
        self.shape, self.downsample, self.mpp = tuple(shape), downsample, mpp
        return self


def open(
    uri: Path | Sequence[Path],
    index: _core.Index | Path | None = None,
    max_bytes: int | None = None,
    series: str | None = None,
    split: bool = False,
) -> Image | list[Image]:
    """Opens an image: NIfTI-1 and -2 (.nii, .nii.gz, .hdr/.img), Analyze 7.5, .npy, NRRD, MetaImage, DICOM (a file, the folder of a
    series, or a list of its files), JPEG 2000 and HTJ2K (.j2c, .j2k, .jp2, .jph: levels are its resolutions), PGM, PPM, PNG.
    Only headers are read.

    uri: a path, or a list of paths of one DICOM series. index: an mt.Index or a path to one; remembers gzip access points and
    statistics, so that a later read of a box starts near it. max_bytes: largest decoded image or box that is accepted; default 64 GiB.
    series: SeriesInstanceUID, where a folder holds several. split: all volumes as a list: of every series, and those parts of a
    series that make no common grid (gaps, several orientations, …), which otherwise are an error that names the files.
    Errors: NotFoundError, AccessError, CorruptError (with the byte), UnsupportedError (no format knows it), LimitError,
    InvalidError (files that make no volume).
    """
    many = isinstance(uri, list | tuple)
    if not (many or split or series is not None or os.path.isdir(uri)):  # noqa: PTH112
        return Image(uri, index=index, max_bytes=max_bytes)
    paths = tuple(os.fspath(p) for p in (uri if many else (uri,)))
    images = open_volumes(paths, series, split, max_bytes)
    return images if split else images[0]


def open_volumes(
    paths: tuple[str | bytes, ...], series: str | None, split: bool, max_bytes: int | None
) -> list[Image]:
    """The volumes of DICOM files and folders; see microtome.dicom.open_series."""
    cores = _core.series_open(paths, series, bool(split), max_bytes or 0)
    return [
        Image._of_core(core, paths[0], (_volume_again, (paths, series, split, max_bytes, i)))
        for i, core in enumerate(cores)
    ]


def _volume_again(paths, series, split, max_bytes, i):
    """Image i of open_volumes once more, in another process."""
    images = open_volumes(paths, series, split, max_bytes)
    if i >= len(images):
        raise ConflictError(f"{paths[0]}: the files now make {len(images)} volumes")
    return images[i]


class Image:
    """An open image; use mt.open. Usable from any thread; a failed read leaves it good.

    shape, axes ("ZYX", "TZYX", "CTZYX", "ZYXC"), dtype (of what reads give), stored_dtype (in the file), affine (4×4, voxel
    centre (x, y, z) → mm, RAS+; None where the format has none), spacing (per axis: mm; s for T; 1 for C), mpp (µm per pixel;
    None for volumes), levels, channels (their number), properties (the format's own fields), problems (what was noticed),
    format, codec, slope, inter, uri. im[10:20, :, ::2] reads only the box it needs.
    """

    def __init__(
        self, uri: Path, index: _core.Index | Path | None = None, max_bytes: int | None = None
    ) -> None:
        if index is not None and not isinstance(index, _core.Index):
            index = _core.Index(index)
        self.uri = os.fspath(uri)
        self._core = _core.Image(self.uri, index, max_bytes or 0)
        self._info = self._core.info()
        self._remake = (Image, (self.uri,))

    @classmethod
    def _of_core(cls, core, uri, again):
        self = cls.__new__(cls)
        self.uri, self._core, self._info = uri, core, core.info()
        self._remake = again
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents, outermost first."""
        return self._info["shape"]

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self._info["shape"])

    @property
    def axes(self) -> str:
        """Name of each axis, "ZYX"."""
        return self._info["axes"]

    @property
    def spacing(self) -> tuple[float, ...]:
        """Per axis: mm; s for T; 1 for C."""
        return self._info["spacing"]

    @property
    def format(self) -> str:
        """Such as "nifti1", "npy", …."""
        return self._info["format"]

    @property
    def codec(self) -> str:
        """Such as "none", "gzip"."""
        return self._info["codec"]

    @property
    def slope(self) -> float:
        """Values = stored · slope + inter; 1 where none applies."""
        return self._info["slope"]

    @property
    def inter(self) -> float:
        """Values = stored · slope + inter; 0 where none applies."""
        return self._info["inter"]

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self._info["file_bytes"]

    @property
    def mpp(self) -> tuple[float, float] | None:
        """µm per pixel (y, x) of a slide; None for volumes."""
        return None

    @property
    def dtype(self) -> DType:
        """NumPy dtype of what reads give: float32 where a slope applies, else the stored one."""
        return _numpy().dtype(self._info["dtype"])

    @property
    def stored_dtype(self) -> DType:
        """NumPy dtype in the file, native byte order: what raw reads give."""
        return _numpy().dtype(self._info["stored_dtype"])

    @property
    def affine(self) -> ndarray | None:
        """4×4 float64: voxel centre (x, y, z) → mm, RAS+; None where the format has none."""
        m = self._info["affine"]
        return None if m is None else _numpy().array(m).reshape(4, 4)

    @property
    def levels(self) -> list[Level]:
        """Resolutions, finest first; volumes have one, codestreams one per wavelet decomposition and one more."""
        return [Level(shape, downsample) for shape, downsample in self._info["levels"]]

    @property
    def channels(self) -> int:
        """How many channels (the size of axis C, else 1)."""
        return self.shape[self.axes.index("C")] if "C" in self.axes else 1

    @property
    def properties(self) -> dict[str, str]:
        """The format's own fields ("nifti.descrip", …), texts by name."""
        return self._core.properties()

    @property
    def problems(self) -> list[str]:
        """What was noticed on opening and did not prevent it, as sentences."""
        return self._core.problems()

    def read(
        self,
        box: Box | None = None,
        level: int = 0,
        raw: bool = False,
        out: ndarray | None = None,
        axes: str | None = None,
        dtype: DTypeLike = None,
    ) -> ndarray:
        """Reads a box as a NumPy array.

        box: ((z0, z1), (y0, y1), …), half open, in this image's axes and the level's pixels; trailing axes may be left out, an end that is None is the
        image's. raw: stored values, no slope and intercept. out: writable array of the result's shape (any strides), which is
        filled and returned. axes: a permutation of im.axes ("XYZ"): a strided view, no copy. dtype: of the result; floats become
        integers by rounding half to even, clamped.
        Errors: InvalidError (box), CorruptError (data), ConflictError (the file changed), LimitError.
        """
        start, size = self._box(box, level)
        order = self._order(axes)
        target = out
        if out is not None and order is not None:
            inverse = [order.index(i) for i in range(len(order))]
            target = _numpy().asarray(out).transpose(inverse)
        a = self._core.read(
            start, size, level, bool(raw), _declare.dtype_name(dtype) if out is None else None, target
        )
        if out is not None:
            return out
        return a if order is None else a.transpose(order)

    def stats(self) -> dict[str, Any]:
        """Statistics of all values (after slope and intercept; non-finite ones left out, counted): a dict with count, non_finite,
        nonzero, min, max, mean, std (population), nonzero_mean, nonzero_std, foreground_start and _size ([Z, Y, X] box of the
        values ≠ 0). From the index, else by one full read."""
        return self._core.stats()

    def labels(self) -> dict[int, int]:
        """Voxels of each class of a label map: {class: count}. From the index, else by one full read.
        Errors: InvalidError (values that are no integers), LimitError (more than 4096 classes)."""
        return self._core.labels()

    def objects(self, background: int = 0) -> tuple[ndarray, ndarray]:
        """The boxes of a label map's objects: (boxes [N, 2, 3], classes [N]), int64, in array order ([Z, Y, X]; a plane has Z = 1): first
        voxel and the voxel behind the last. As mt.ops.object_boxes; from the index, else by one full read.
        Errors: InvalidError (values that are no whole numbers, more than three axes)."""
        return self._core.objects(background)

    def write(self, path: Path, **options: Any) -> None:
        """Writes the image to another file: mt.convert from an open image. Options as there."""
        convert(self, path, **options)

    def __getitem__(self, key: Any) -> ndarray:
        key = key if isinstance(key, tuple) else (key,)
        box, view = _slices(key, self.shape)
        a = self.read(box)
        return a[view] if any(not isinstance(v, slice) or v.step not in (None, 1) for v in view) else a

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> ndarray:
        if copy is False:
            raise ValueError("reading an image makes a new array, which copy=False forbids")
        return self.read(dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __fspath__(self) -> str:
        return self.uri

    def __reduce__(self):
        return self._remake

    def __repr__(self):
        return f"<microtome.Image {self.uri!r} {self.axes} {self.shape} {self._info['dtype']}>"

    def _box(self, box, level):
        if not 0 <= level < self._info["n_levels"]:
            raise InvalidError(f"level {level} of {self._info['n_levels']}")
        pairs = list(box) if box is not None else []
        if len(pairs) > self.ndim:
            raise InvalidError(f"the box has {len(pairs)} axes, the image {self.ndim}")
        shape = self._info["levels"][level][0]
        start, stop = [0] * self.ndim, list(shape)
        for i, pair in enumerate(pairs):
            try:
                lo, hi = pair
                start[i] = 0 if lo is None else lo.__index__()
                stop[i] = shape[i] if hi is None else hi.__index__()
            except (TypeError, ValueError, AttributeError):
                raise InvalidError(f"axis {i} of the box must be a pair of integers, not {pair!r}") from None
            if not 0 <= start[i] <= stop[i] <= shape[i]:
                raise InvalidError(
                    f"axis {i} ({self.axes[i]}) of the box is {start[i]} to {stop[i]}; the image has 0 to {shape[i]}"
                )
        return tuple(start), tuple(b - a for a, b in zip(start, stop, strict=True))

    def _order(self, axes):
        if axes is None or axes == self.axes:
            return None
        if sorted(axes) != sorted(self.axes):
            raise InvalidError(f"axes {axes!r} is no permutation of {self.axes!r}")
        return [self.axes.index(c) for c in axes]


def _numpy():
    import numpy

    return numpy


def _is_integer(k):
    try:
        k.__index__()
    except (AttributeError, TypeError):
        return False
    return True


def _slices(key, shape):
    """NumPy's basic indices as the box that has to be read and what is left to do in it."""
    for k in key:
        if isinstance(k, bool) or not (k is Ellipsis or isinstance(k, slice) or _is_integer(k)):
            raise IndexError(f"images take integers, slices and one ellipsis, not {k!r}")
    if sum(k is Ellipsis for k in key) > 1:
        raise IndexError("images take integers, slices and one ellipsis, not two")
    if any(k is Ellipsis for k in key):
        at = next(i for i, k in enumerate(key) if k is Ellipsis)
        key = key[:at] + (slice(None),) * (len(shape) - len(key) + 1) + key[at + 1 :]
    if len(key) > len(shape):
        raise IndexError(f"{len(key)} indices for {len(shape)} axes")
    box, view = [], []
    for k, n in zip(key + (slice(None),) * (len(shape) - len(key)), shape, strict=True):
        if isinstance(k, slice):
            lo, hi, step = k.indices(n)
            count = len(range(lo, hi, step))
            first, last = (lo, lo + (count - 1) * step) if step > 0 else (lo + (count - 1) * step, lo)
            box.append((first, last + 1) if count else (0, 0))
            view.append(slice(None, None, step))
        else:
            i = k.__index__()
            if not -n <= i < n:
                raise IndexError(f"index {i} of an axis of {n}")
            box.append((i % n, i % n + 1))
            view.append(0)
    return box, tuple(view)


def write(
    path: Path,
    array: ArrayLike,
    affine: ArrayLike | None = None,
    axes: str | None = None,
    like: Image | None = None,
    format: str | None = None,
    level: int = 0,
    slope: float = 0.0,
    inter: float = 0.0,
) -> None:
    """Writes an array as an image: beside the destination, synced, then renamed, so the old file stays until the new one is whole.

    path: .nii, .nii.gz, .npy, .png, .pgm, .ppm, .pgx, .raw, .j2c, .jph (HTJ2K), .j2k, .jp2 (JPEG 2000; both lossless, options:
    mt.codec.encode) by its ending, or format= says. array: any strides; axes names its axes (default "ZYX" for three, "TZYX"
    for four; of a codestream "YXC"). affine: 4×4, voxel centre (x, y, z) → mm, RAS+. like: an open NIfTI whose description, units and
    extensions are kept, or a DICOM series whose time step is. level: of deflate, 1 to 12; 0: 6. slope, inter: stored in a NIfTI header, values are not changed.
    Errors: UnsupportedError (dtype or format), AccessError, InputOutputError (no space).
    """
    _core.write(
        path, array, format, axes, affine, slope, inter, level, like._core if like is not None else None
    )


def convert(
    src: Path | Image,
    dst: Path,
    *,
    box: Box | None = None,
    level: int = 0,
    dtype: DTypeLike = None,
    raw: bool | None = None,
    spacing: Sequence[float] | None = None,
    orient: str | None = None,
    interp: str = "linear",
    extent: str = "centres",
    antialias: bool = False,
    format: str | None = None,
    deflate: int = 0,
    index: _core.Index | Path | None = None,
) -> None:
    """Converts any readable image to any format that write knows, as `microtome convert` does.

    src: a path or an open image. box, level: the part, as in Image.read; the affine follows. dtype: of the values in the file;
    default: the stored values with their slope and intercept, unchanged. raw: stored values, slope and intercept dropped.
    spacing: resamples to these mm (array order z, y, x, the reverse of nibabel's and SimpleITK's; one number: isotropic;
    [Z, Y, X] and [T, Z, Y, X] images) by interp "linear", "cubic" (B-spline) or "nearest" (label maps); extent "centres" keeps the first
    voxel's centre, "field_of_view" its border; antialias smooths where the image shrinks. orient: turns to "RAS", "LPS", ….
    deflate: 1 to 12. Errors: as mt.open, Image.read and mt.write.
    """
    im = src if isinstance(src, Image) else open(src, index=index)
    changed = dtype is not None or spacing is not None
    per_image = "dicom.rescale" in im.properties  # no one slope can say what the stored values mean
    stored = not (changed or per_image) if raw is None else bool(raw)
    keep_scale = raw is None and stored and (im.slope, im.inter) != (1, 0)
    a = im.read(box, level=level, raw=stored)
    affine = _box_affine(im, box)
    if (spacing is not None or orient is not None) and im.axes not in ("ZYX", "TZYX", "CZYX"):
        raise UnsupportedError(f"spacing and orient work on ZYX and TZYX images, this one is {im.axes}")
    if spacing is not None or orient is not None:
        from . import ops

        if affine is None:
            raise InvalidError(f"{im.uri} has no geometry to resample or turn by")
        if orient is not None:
            a, affine = ops.orient(a, affine, orient, channels=a.ndim == 4)
        if spacing is not None:
            a, affine = ops.spacing(
                a, affine, spacing, extent=extent, interp=interp, antialias=antialias, channels=a.ndim == 4
            )
    if dtype is not None and a.dtype != _numpy().dtype(dtype):
        a = _core.convert(a, _declare.dtype_name(dtype))
    like = im if im.format.startswith(("nifti", "analyze", "j2c", "jp")) or im.axes[0] == "T" else None
    slope, inter = (im.slope, im.inter) if keep_scale else (0.0, 0.0)
    write(
        dst, a, affine=affine, axes=im.axes, like=like, format=format, level=deflate, slope=slope, inter=inter
    )


def _box_affine(im, box):
    """The affine of a box: the origin moves to its first voxel."""
    affine = im.affine
    if affine is None or box is None:
        return affine
    start, _ = im._box(box, 0)
    first = [start[im.axes.index(c)] if c in im.axes else 0 for c in "XYZ"]
    affine[:, 3] = affine @ [*first, 1.0]
    return affine
