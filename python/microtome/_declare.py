"""From the C library's operator table to Python signatures and docstrings, for microtome.ops, the chain classes and the
generator of the reference (tools/gen_ops.py).
SPDX-License-Identifier: Apache-2.0
"""

import ast

from . import _core

# Operators whose first parameter in Python is the input's geometry, which the C API passes beside the arguments.
GEOMETRY_ARGUMENT = {"orient": "affine", "spacing": "spacing"}


def class_name(name):
    """ "random_flip" → "RandomFlip"."""
    return "".join(part.capitalize() for part in name.split("_"))


def default_of(param):
    """The default as a Python value; only for parameters that have one."""
    text = param["default"]
    if param["type"] == "bool":
        return text.lower() == "true"
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return tuple(text.split(",")) if "," in text else text
    if isinstance(value, tuple) and len(value) == 1 and param["type"] not in ("ints", "floats"):
        return value[0]
    return value


class _Required:
    """Stands in signatures for "must be given" behind a parameter that has a default."""

    def __repr__(self):
        return "required"


REQUIRED = _Required()


def defaults(params):
    """Per parameter its default, REQUIRED, or None for a required one that Python can show as such."""
    out, optional = [], False
    for p in params:
        optional = optional or p["default"] is not None
        out.append(default_of(p) if p["default"] is not None else REQUIRED if optional else None)
    return out


def range_of(param):
    """ "0 … 1", or "" when any finite number will do."""
    if param["min"] == 0 and param["max"] == 0:
        return ""
    if param["max"] >= 2**30:
        return f"{param['min']:g} or more"
    return f"{param['min']:g} … {param['max']:g}"


def param_line(param):
    """One line of help: what, choices or range, unit, default."""
    parts = [param["help"].rstrip(".")]
    if param["choices"]:
        parts.append("one of " + ", ".join(repr(c) for c in param["choices"].split("|")))
    if range_of(param):
        parts.append("range " + range_of(param))
    if param["unit"]:
        parts.append("unit: " + param["unit"])
    parts.append("required" if param["default"] is None else f"default {default_of(param)!r}")
    return f"{param['name']}: " + "; ".join(p for p in parts if p)


def doc(op, head, tail=()):
    """A docstring from the table's."""
    lines = [op["doc"].strip(), "", *head, *(param_line(p) for p in op["params"]), *tail]
    return "\n".join(lines).strip()


def dtype_name(dtype):
    """NumPy's name of a dtype given in any way ("float32", "f4", float, …); None stays, what NumPy does not know the library names
    in its error."""
    if dtype is None:
        return None
    import numpy

    try:
        return numpy.dtype(dtype).name
    except TypeError:
        if isinstance(dtype, str):
            return dtype
        raise


OPERATORS = {op["name"]: op for op in _core.operators()}
