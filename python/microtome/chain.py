"""Chains of operators over samples: the classes Resize, RandomFlip, … (made from the C library's table), Apply and Chain.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from . import _core, _declare
from .errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy import ndarray

_IMAGE_ENDINGS = (
    ".nii",
    ".nii.gz",
    ".hdr",
    ".hdr.gz",
    ".img",
    ".img.gz",
    ".npy",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".dcm",
)
_INTERP = ("nearest", "linear", "cubic")
_IMAGE_FIELDS = ("image", "label", "mask", "seg")


class Operator:
    """One operator of a chain; use its subclasses (mt.Resize, mt.RandomFlip, …).

    Texts that come first are the names of the fields it works on; without names, geometric operators work on every image and
    label map with one draw, all others on every image that is no label map. Then the parameters, by position or name. A
    parameter of a random operator that takes a range is a pair, drawn uniformly.
    """

    _name = ""

    def __init__(self, *args: Any, **params: Any) -> None:
        if not self._name:
            raise TypeError("Operator is the base of the operators' classes")
        declared = _declare.OPERATORS[self._name]["params"]
        n_texts = next((i for i, a in enumerate(args) if not isinstance(a, str)), len(args))
        texts, rest = list(args[:n_texts]), args[n_texts:]
        name = _text_parameter(self._name, declared, params, texts)
        if name:
            params[name] = texts.pop()
        free = [p["name"] for p in declared if p["name"] not in params]
        if len(rest) > len(free):
            raise TypeError(f"{type(self).__name__}() takes at most {len(declared)} parameters")
        params.update(zip(free, rest, strict=False))
        _core.check(self._name, params)
        self.fields, self.params = tuple(texts), params

    def _add_to(self, core):
        core.add(self._name, self.fields, self.params)

    def __repr__(self):
        parts = [repr(f) for f in self.fields] + [f"{k}={v!r}" for k, v in self.params.items()]
        return f"{type(self).__name__}({', '.join(parts)})"


def _text_parameter(op, declared, given, texts):
    """The parameter that the last of the leading texts is meant for, if it is no field's name: one that must be given (a label
    map's name), or the orientation of orient ("RAS")."""
    if not texts:
        return None
    if op == "orient" and "to" not in given and re.fullmatch("[RLAPSI]{3}", texts[-1]):
        return "to"
    wanted = (p["name"] for p in declared if p["default"] is None and p["type"] in ("text", "choice"))
    return next((name for name in wanted if name not in given), None)


class Apply:
    """A Python function in a chain: mt.Apply(fn, "image", …).

    fn gets a NumPy array [C, Z, Y, X] of its own (float32, label maps: their dtype) and returns an array with four axes. It runs
    on the loader's threads, under the interpreter's lock. Without names it works on every image that is no label map. What it
    raises ends the epoch as mt.Error with the exception as its cause, or skips the item (Loader(on_error="skip")).
    """

    def __init__(self, fn: Callable[[ndarray], Any], *fields: str) -> None:
        if not callable(fn):
            raise TypeError(f"the function of Apply is not callable: {fn!r}")
        if not all(isinstance(f, str) for f in fields):
            raise TypeError("field names are texts")
        self.fn, self.fields = fn, fields

    def _add_to(self, core):
        core.add_apply(self.fn, self.fields)

    def __repr__(self):
        return f"Apply({', '.join([repr(self.fn), *map(repr, self.fields)])})"


class Sample(dict):
    """A sample that came out of a chain: field → array [C, Z, Y, X] or the item's value; affines: field → 4×4 of its grid."""

    def __init__(self, values: Mapping[str, Any], affines: dict[str, ndarray]) -> None:
        super().__init__(values)
        self.affines = affines


def _sample(given, names, values):
    import numpy

    out = {n: given[n] if v[0] is None else v[0] for n, v in zip(names, values, strict=True)}
    affines = {
        n: numpy.array(v[1]).reshape(4, 4) for n, v in zip(names, values, strict=True) if v[1] is not None
    }
    return Sample(out, affines)


def _texts(names, what):
    given = (names,) if isinstance(names, str) else names
    texts = tuple(given) if hasattr(given, "__iter__") else (None,)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{what} are names of fields, not {names!r}")
    return texts


def _numbers(seed, epoch, index):
    for name, number in (("epoch", epoch), ("index", index)):
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise InvalidError(f"{name} is {number}, which 64 bits do not hold")
    return seed, epoch, index


def _one_draw(step, name, drawn):
    """What draw() says of one step, as the C core takes it. step: the operator's name in the chain."""
    if drawn is None:
        return None
    if not isinstance(name, str) or name not in _declare.OPERATORS:
        raise InvalidError(f"the draw of {step} is of no operator: {name!r}")
    if isinstance(drawn, list):
        if any(isinstance(d, list) for d in drawn):
            raise InvalidError(f"the draws of {step}'s channels are lists; a dict or None is wanted for each")
        return [_one_draw(step, name, d) for d in drawn]
    if not isinstance(drawn, dict):
        raise InvalidError(
            f"what was drawn for {step} is {drawn!r}; a dict of parameters, or None, is wanted"
        )
    arrays = {p["name"] for p in _declare.OPERATORS[name]["params"] if p["type"] == "array"}
    return name, {k: v for k, v in drawn.items() if k not in arrays}


class Chain:
    """A chain of operators: mt.Chain([mt.Resize(size=(96, 96, 96)), mt.RandomFlip(p=0.5)], labels=("label", "mask", "seg")).

    labels: fields that hold label maps: gathered nearest, integral, untouched by intensity operators. points: fields that hold
    points, arrays [N, 3] of (x, y, z) (of 2-D images [N, 2]), numbers of voxels, 0 the first voxel's centre, on the grid of the
    first image: they move with it through every geometric operator, become float64, and stay where they end outside. Geometric
    operators that follow each other become one gather with one interpolation, a crop at the front the box that is read; those
    before the first random operator are a gather of their own, because a loader's cache keeps what they make. Random numbers depend on (seed, epoch, index) only: calling the chain gives the same bytes as a loader.
    Errors: TypeError, ValueError (an operator's arguments).
    """

    def __init__(
        self,
        ops: Iterable[Operator | Apply] = (),
        labels: str | Iterable[str] = _IMAGE_FIELDS[1:],
        points: str | Iterable[str] = (),
    ) -> None:
        self.ops = tuple(ops)
        self.labels, self.points = _texts(labels, "labels"), _texts(points, "points")
        for op in self.ops:
            if not isinstance(op, Operator | Apply):
                raise TypeError(f"{op!r} is no operator; put functions into mt.Apply(fn, …)")
        self._made = None
        self._get()  # errors come now

    def _get(self):
        # A forked child builds its own: what threads of the parent held is not to be touched.
        if self._made is None or self._made[0] != os.getpid():
            core = _core.Chain(self.labels, self.points)
            for op in self.ops:
                op._add_to(core)
            self._made = os.getpid(), core
        return self._made[1]

    def __call__(
        self,
        sample: Mapping[str, Any],
        seed: int = 0,
        epoch: int = 0,
        index: int = 0,
        sidecar: _core.Index | None = None,
    ) -> Sample:
        """One sample, eagerly: the same bytes as the loader's for (seed, epoch, index).

        sample: a dict of image paths, arrays ([Z, Y, X] or [C, Z, Y, X]), numbers and other things, which are passed on. sidecar: an
        mt.Index or None. Returns a Sample. Errors: those of opening and reading, and of the operators.
        """
        return _sample(sample, *self._run(self._get().run, sample, sidecar, *_numbers(seed, epoch, index)))

    def draw(
        self,
        seed: int = 0,
        epoch: int = 0,
        index: int = 0,
        sample: Mapping[str, Any] | None = None,
        sidecar: _core.Index | None = None,
    ) -> list[dict[str, Any]]:
        """The parameters that would be drawn for a sample, as a list that JSON can hold, in the chain's order: {"op": name,
        "as": name of the operator that runs, "drawn": {parameter: value}}. drawn is None where nothing is drawn or nothing happens
        (then there is no "as"), and a list with a dict or None per channel where every channel draws for itself. Array parameters are None: they are the
        chain's own.

        sample: as for calling the chain; without one, draws that depend on the picture are those for an image of 256³ voxels.
        """
        if sample is None:
            import numpy

            named = {f: None for op in self.ops for f in op.fields}
            image = numpy.broadcast_to(numpy.zeros((), numpy.float32), (256, 256, 256))
            sample = dict.fromkeys(named or ("image",), image)
        return json.loads(self._run(self._get().draw, sample, sidecar, *_numbers(seed, epoch, index))[1])

    def replay(
        self,
        sample: Mapping[str, Any],
        drawn: list[dict[str, Any]],
        sidecar: _core.Index | None = None,
    ) -> Sample:
        """One sample with what was drawn before, the same bytes as where it was drawn; `drawn` is what draw() gave, perhaps by way
        of JSON, perhaps changed by hand. Functions (mt.Apply) that draw for themselves are not held to anything. Errors: those of
        calling the chain; ValueError (`drawn` is of another chain, or holds parameters that an operator does not take).
        """
        draws = self._draws(drawn)
        return _sample(sample, *self._run(self._get().replay, sample, sidecar, draws))

    def invert(
        self,
        result: Any,
        drawn: list[dict[str, Any]],
        sample: Mapping[str, Any],
        field: str | None = None,
        interp: str = "linear",
        fill: float = 0.0,
        sidecar: _core.Index | None = None,
    ) -> ndarray:
        """Brings an array on the grid that the chain gives back to the grid of the item's own picture, as test-time augmentation
        needs it: through the inverse of every geometric operator of the chain, drawn or not, the last one first.

        result: [C, Z, Y, X] or [Z, Y, X], of any channels and dtype, or a Sample, of which `field` is taken. drawn: what draw() gave.
        sample: the item that went in; of files the headers are read. field: whose grid it is; default the first image. interp:
        "nearest" (for label maps), "linear", "cubic". fill: what a crop took away. Returns [C, Z, Y, X], dtype as given. Exact for
        flips, quarter turns, crops and pads; interpolated for the others. Errors: ValueError (shapes), mt.UnsupportedError (an
        elastic operator, or a function that changes the shape).
        """
        draws = self._draws(drawn)
        names, _ = field_kinds([sample], self)
        pictures = [n for n in names if n not in self.points]
        images = [n for n in pictures if n not in self.labels]
        field = (
            field
            if field is not None
            else ("image" if "image" in images else next(iter(images or pictures), None))
        )
        if field not in names:
            raise InvalidError(f"the sample has no field {field!r}")
        if interp not in _INTERP:
            raise InvalidError(f"interp must be one of {', '.join(_INTERP)}, not {interp!r}")
        array = result[field] if isinstance(result, Sample) else result
        place = names.index(field), _INTERP.index(interp), float(fill), array
        return self._run(self._get().invert, sample, sidecar, draws, *place)[1]

    def _draws(self, drawn):
        """As the C core takes it: per step None, (operator, parameters), or a list of those per channel."""
        expected = [getattr(op, "_name", "apply") for op in self.ops]
        if not isinstance(drawn, (list, tuple)) or not all(isinstance(d, dict) for d in drawn):
            raise InvalidError(
                f"draws are a list with a dict for each step, as draw() gives it, not {drawn!r}"
            )
        if not isinstance(drawn, (list, tuple)) or [dict(d).get("op") for d in drawn] != expected:
            raise InvalidError(f"these draws are of another chain than one of {', '.join(expected)}")
        return [_one_draw(d["op"], d.get("as"), d.get("drawn")) for d in drawn]

    def _run(self, call, sample, sidecar, *more):
        items = [sample]
        names, uris = field_kinds(items, self)
        return names, call(items, names, uris, sidecar, *more)

    def __len__(self) -> int:
        return len(self.ops)

    def __repr__(self):
        points = f", points={self.points!r}" if self.points else ""
        return f"Chain([{', '.join(map(repr, self.ops))}], labels={self.labels!r}{points})"

    def __reduce__(self):
        return (Chain, (self.ops, self.labels, self.points))


def field_kinds(items, chain, texts=()):
    """The fields that all items have, and which of them hold image paths where they hold text.

    Text is a path when its field is called image, label, mask or seg, is one of the chain's label maps or named by one of its
    operators, or when a value ends as an image file does; unless `texts` names the field. Other text is passed on.
    """
    if not items:
        return (), ()
    first = items[0]
    try:
        names = tuple(first.keys())
    except AttributeError:
        raise TypeError(f"an item is a dict of named fields, not {type(first).__name__}") from None
    for op in chain.ops if chain else ():
        for field in op.fields:
            if field not in first:
                raise InvalidError(
                    f"{op!r} works on the field {field!r}; the items have {', '.join(map(str, names))}"
                )
    known = {
        *_IMAGE_FIELDS,
        *(chain.labels if chain else ()),
        *(f for op in (chain.ops if chain else ()) for f in op.fields),
    }
    uris = {n: n in known for n in names}
    expected = set(names)
    for i, item in enumerate(items):
        if item.keys() != expected:
            raise InvalidError(f"item {i} has the fields {sorted(item)}, the first one {sorted(expected)}")
        for name, value in item.items():
            if not isinstance(name, str):
                raise TypeError(f"field names are texts, not {name!r}")
            if not uris[name] and _is_picture(value):
                uris[name] = True
    return names, tuple(uris[n] and n not in texts for n in names)


def _is_picture(value):
    """A text that ends as image files do, or a list or tuple of such texts or of paths: one picture in several files."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
        if isinstance(value, os.PathLike):
            return True
    return isinstance(value, str) and value.lower().endswith(_IMAGE_ENDINGS)


def _make_class(op):
    name = _declare.class_name(op["name"])
    doc = _declare.doc(
        op, ["fields: names of the fields to work on, first and by position; default by the kind of operator"]
    )
    return type(name, (Operator,), {"_name": op["name"], "__doc__": doc, "__module__": "microtome"})


__all_operators__ = []
for _op in _declare.OPERATORS.values():
    _class = _make_class(_op)
    globals()[_class.__name__] = _class
    __all_operators__.append(_class.__name__)
del _op, _class
