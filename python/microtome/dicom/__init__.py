"""DICOM, from the file to the volume and back.

    ds = mt.dicom.read("slice.dcm")          a path, bytes, or an open binary file
    ds.PatientID, ds["00100020"], ds[0x0010, 0x0020], ds.get("PatientAge", "")
    ds["PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient"]
    for e in ds: e.tag, e.vr, e.keyword, e.value
    ds.to_json(), ds.to_json(keywords=True)  the DICOM JSON model (PS3.18 F), or values by keyword
    ds.pixels(), ds.pixels(0, voi=True), ds.overlay(0), ds.pixel_info()

    for series in mt.dicom.scan("folder"): series.modality, mt.open(series.paths)
    mt.dicom.open_series("study", split=True)   its volumes; mt.open("study/series") for one
    array, affine = mt.dicom.straighten(im)  a volume of a tilted gantry on a straight grid
    mt.dicom.read_seg("seg.dcm", like=im)    labels of a segmentation object on an image's grid
    mt.dicom.read_rtstruct("rs.dcm", im)     masks of a structure set; mt.dicom.rois("rs.dcm") names them

    ds.edit({"PatientID": "x"}).save("new.dcm")             data sets never change: edit makes another one
    mt.dicom.new({…}), mt.dicom.write_series(folder, a, affine, like=ds), mt.dicom.write_seg("seg.dcm", labels, files)
    mt.dicom.transcode("in", "out", "HTJ2KLosslessRPCL")    files and folders, proved by decoding both
    made, report = mt.dicom.deidentify("slice.dcm", secret=key)
    mt.dicom.entry("PatientID"), mt.dicom.uid("CTImageStorage")   the dictionaries of PS3.6

Texts are str, by the data set's SpecificCharacterSet; several values are a list. IS and the binary integers are int; DS, FL and FD
float; AT int; PN a str with .family_name and other parts; OB, OW and UN bytes, which are read when asked for; sequences lists of data
sets. An empty value is "" for texts, None for others. Data sets never change; errors derive from mt.Error.
SPDX-License-Identifier: Apache-2.0
"""

from .dataset import Dataset, Element, MissingError, PersonName, read
from .deid import Report, deidentify
from .dictionary import Entry, Uid, entry, uid
from .labels import read_rtstruct, read_seg, rois
from .listing import Listing, Series, scan
from .pixels import Overlay, PixelInfo
from .series import open_series, straighten
from .write import Segment, new, new_uid, transcode, write_seg, write_series

__all__ = [
    "Dataset",
    "Element",
    "Entry",
    "Listing",
    "MissingError",
    "Overlay",
    "PersonName",
    "PixelInfo",
    "Report",
    "Segment",
    "Series",
    "Uid",
    "deidentify",
    "entry",
    "new",
    "new_uid",
    "open_series",
    "read",
    "read_rtstruct",
    "read_seg",
    "rois",
    "scan",
    "straighten",
    "transcode",
    "uid",
    "write_seg",
    "write_series",
]
