"""Operators on arrays, eagerly: microtome.ops.NAME(array, …).

Arrays are [Z, Y, X] or [Y, X], with a leading channel axis when channels=True, of any strides; NumPy arrays and whatever
has the buffer protocol or __array__. Sizes, factors and centres are in array order, points and affine matrices (x, y, z).
Geometric operators keep the dtype, intensity operators give float32; dtype= overrides both, out= receives the result.
The functions are made from the C library's table, which also checks their arguments.
SPDX-License-Identifier: Apache-2.0
"""

import inspect

from . import _core, _declare
from .objects import connected_components, object_boxes, random_object_bbox

_KEYWORDS = (
    "channels: the first axis holds channels; default False",
    "out: a writable array of the result's shape that receives it; it may share memory with the input",
    'dtype: of the result ("float32", …); default: the operator\'s own',
    "",
    "Returns a NumPy array in memory of the library's own (or out). Errors: ValueError (mt.InvalidError: argument or shape),"
    " TypeError (unknown or missing argument), MemoryError.",
)


def _signature(first, params):
    kind = inspect.Parameter
    fixed = [kind(first, kind.POSITIONAL_OR_KEYWORD)]
    for p, default in zip(params, _declare.defaults(params), strict=True):
        default = kind.empty if default is None and p["default"] is None else default
        fixed.append(kind(p["name"], kind.POSITIONAL_OR_KEYWORD, default=default))
    keywords = [
        kind(n, kind.KEYWORD_ONLY, default=d)
        for n, d in (("channels", False), ("out", None), ("dtype", None))
    ]
    return inspect.Signature(fixed + keywords)


def _bind(op, names, args, given):
    """Positional arguments by name; what is missing is an error here, so that it reads as Python's."""
    if len(args) > len(names):
        raise TypeError(f"{op}() takes at most {len(names) + 1} positional arguments ({len(args) + 1} given)")
    for name, value in zip(names, args, strict=False):
        if name in given:
            raise TypeError(f"{op}() got two values for '{name}'")
        given[name] = value
    return given


def _require(op, params, given):
    missing = [p["name"] for p in params if p["default"] is None and p["name"] not in given]
    if missing:
        raise TypeError(
            f"{op}() misses the argument"
            + ("s " if len(missing) > 1 else " ")
            + ", ".join(map(repr, missing))
        )


def _as_affine(spacing, ndim):
    """A spacing in array order (mm; one number for all axes) or a 4×4 matrix as the affine of a grid."""
    import numpy

    s = _floats(spacing)
    if s.shape == (4, 4):
        return s
    if s.ndim == 0 and ndim in (2, 3):
        s = numpy.full(ndim, float(s))
    if s.ndim != 1 or not 2 <= len(s) <= 3 or not (s > 0).all() or not numpy.isfinite(s).all():
        raise _invalid("spacing must be two or three positive numbers in mm, or a 4×4 affine")
    return numpy.diag([*s[::-1], 1.0, 1.0][:4] if len(s) == 2 else [*s[::-1], 1.0])


def _floats(geometry):
    import numpy

    try:
        return numpy.asarray(geometry, dtype=numpy.float64)
    except (TypeError, ValueError):
        raise _invalid(f"a spacing or an affine is numbers, not {geometry!r}") from None


def _invalid(text):
    from .errors import InvalidError

    return InvalidError(text)


def _plain(op):
    name, params = op["name"], op["params"]
    names = tuple(p["name"] for p in params)

    def call(array, *args, channels=False, out=None, dtype=None, **given):
        _require(name, params, _bind(name, names, args, given))
        return _core.run(name, array, given, channels, None, out, _declare.dtype_name(dtype))

    return call, params


def _with_geometry(op):
    """spacing(a, spacing, to, …) → array; orient(a, affine, to) → (array, affine)."""
    name, own = op["name"], _declare.GEOMETRY_ARGUMENT[op["name"]]
    first = {
        "name": own,
        "type": "floats",
        "default": None,
        "min": 0,
        "max": 0,
        "choices": None,
        "unit": "mm",
        "help": "4×4 matrix, voxel centre (x, y, z) → mm, RAS+"
        if own == "affine"
        else "of the input, in array order; or its 4×4 affine, and then the result is (array, affine)",
    }
    params = [first, *(p for p in op["params"] if p["name"] != own)]
    names = tuple(p["name"] for p in params)

    def call(array, *args, channels=False, out=None, dtype=None, **given):
        import numpy

        _require(name, params, _bind(name, names, args, given))
        geometry = given.pop(own)
        affine = _floats(geometry)
        whole = own == "affine" or affine.shape == (4, 4)
        if not whole:
            affine = _as_affine(geometry, numpy.ndim(array) - bool(channels))
        result, rows = _core.run(name, array, given, channels, affine, out, _declare.dtype_name(dtype))
        return (result, numpy.array(rows)) if whole else result

    return call, params


def _make(op):
    call, params = (_with_geometry if op["name"] in _declare.GEOMETRY_ARGUMENT else _plain)(op)
    first = "label" if op["kind"] == "label" else "array"
    call.__name__ = call.__qualname__ = op["name"]
    call.__doc__ = _declare.doc({**op, "params": params}, [f"{first}: [Z, Y, X] or [Y, X]"], _KEYWORDS)
    call.__signature__ = _signature(first, params)
    return call


__all__ = ["connected_components", "object_boxes", "random_object_bbox"]
for _op in _declare.OPERATORS.values():
    if _op["kind"] != "random" and _op["name"] not in __all__:
        globals()[_op["name"]] = _make(_op)
        __all__.append(_op["name"])
del _op
