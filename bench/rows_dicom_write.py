"""Rows of DICOM writing: a slice into another transfer syntax, a file without its patient.

SPDX-License-Identifier: Apache-2.0
"""

import tempfile
from pathlib import Path

import microtome as mt
from data import DATA
from harness import Row
from peers import maybe

pydicom, openjpeg = maybe("pydicom"), maybe("openjpeg")
RPCL, J2K = "HTJ2KLosslessRPCL", "1.2.840.10008.1.2.4.90"
PEER = "pydicom, J2K by pylibjpeg"  # no peer in Python writes HTJ2K into DICOM


def by_pydicom(source, to):
    d = pydicom.dcmread(source)
    d.compress(J2K, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    d.save_as(to)


def ours(source, to, proof):
    mt.dicom.read(source).save(to, RPCL, proof=proof, threads=1)


def without_patient(source, to):
    made = mt.dicom.deidentify(source, b"a secret of the bench, for no data")
    (made[0] if isinstance(made, tuple) else made).save(to)


def rows():
    source = DATA / "mr-t1" / "1-001.dcm"
    if not source.is_file():
        return
    folder = Path(tempfile.mkdtemp(prefix="microtome-bench-"))
    peers = {PEER: lambda: by_pydicom(source, folder / "p.dcm")} if pydicom and openjpeg else {}
    for proof in (False, True):
        yield Row(
            f"512² slice, native → HTJ2K .202, file to file{', proved' if proof else ''}",
            lambda proof=proof: ours(source, folder / "a.dcm", proof),
            peers,
        )
    yield Row("one file without its patient, file to file", lambda: without_patient(source, folder / "b.dcm"))
