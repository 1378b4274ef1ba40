"""DICOM series as items of mt.Loader: folders, lists of files, boxes that read only what they need.
SPDX-License-Identifier: Apache-2.0
"""

from pathlib import Path

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, HTJ2KLossless, generate_uid

SHAPE = (12, 40, 36)


def save_series(folder, volume, syntax=ExplicitVRLittleEndian, modality="MR", patient="P"):
    """Slices in shuffled files; geometry along z, 2 mm apart."""
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for k, plane in enumerate(volume):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = syntax, "1.2.840.10008.5.1.4.1.1.4"
        meta.MediaStorageSOPInstanceUID = generate_uid()
        path = folder / f"{k * 7 % len(volume):03d}.dcm"
        ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = patient, study, series
        ds.FrameOfReferenceUID, ds.Modality, ds.InstanceNumber = frame, modality, k + 1
        ds.SeriesNumber = 1
        ds.Rows, ds.Columns = plane.shape
        ds.PixelSpacing, ds.SliceThickness = [1.5, 1.25], 2
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 5 + 2 * k]
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        if syntax.is_compressed:
            ds.PixelData = pydicom.encaps.encapsulate([mt.codec.encode(plane)])
            ds["PixelData"].VR = "OB"
        else:
            ds.PixelData = plane.tobytes()
        ds.save_as(path, enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Three series, native and HTJ2K: [(folder, volume)]."""
    top = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(5)
    out = []
    for i, syntax in enumerate((ExplicitVRLittleEndian, HTJ2KLossless, HTJ2KLossless)):
        volume = rng.integers(0, 60000, SHAPE).astype(np.uint16)
        out.append((save_series(top / f"s{i}", volume, syntax, "CT" if i == 2 else "MR", f"P{i}"), volume))
    return out


def batches(items, chain=None, **options):
    loader = mt.Loader(items, chain, **options)
    got = [np.concatenate([np.array(b["image"]) for b in loader]) for _ in range(2)]
    loader.close()
    return got


def test_folder_list_and_tuple_are_one_picture(cohort):
    for folder, volume in cohort:
        paths = sorted(folder.iterdir())
        for value in (str(folder), folder, [str(p) for p in paths], tuple(reversed(paths))):
            (batch,) = mt.Loader([{"image": value}])
            assert batch["image"].shape == (1, 1, *SHAPE)
            np.testing.assert_array_equal(np.array(batch["image"])[0, 0], volume)
            np.testing.assert_allclose(batch.affines["image"][0], mt.open(folder).affine)


@pytest.mark.parametrize("cache_bytes", [0, 64 << 20])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_threads_and_cache_give_the_same_bytes(cohort, threads, cache_bytes):
    items = [{"image": [str(p) for p in folder.iterdir()]} for folder, _ in cohort]
    chain = [mt.RandomCrop("image", size=(6, 16, 20)), mt.RandomFlip("image", p=0.5)]
    options = {"shuffle": True, "seed": 3, "samples_per_item": 2}
    want = batches(items, chain, threads=1, **options)
    got = batches(items, chain, threads=threads, cache_bytes=cache_bytes, prefetch=1, **options)
    assert want[0].any()
    for a, b in zip(want, got, strict=True):
        assert a.tobytes() == b.tobytes()


def damage(path):
    """Breaks the codestream of a slice, whose header stays as it was."""
    ds = pydicom.dcmread(path)
    data = bytearray(ds.PixelData)
    at = data.index(b"\xff\x90")
    data[at + 12 :] = b"\0" * len(data[at + 12 :])
    ds.PixelData = bytes(data)
    ds.save_as(path)


def test_a_crop_reads_only_its_slices(tmp_path, cohort):
    volume = cohort[1][1]
    folder = save_series(tmp_path / "s", volume, HTJ2KLossless)
    last = next(p for p in folder.iterdir() if pydicom.dcmread(p).InstanceNumber == SHAPE[0])
    damage(last)
    crop = mt.Crop("image", start=(2, 3, 4), size=(9, 20, 16))
    (batch,) = mt.Loader([{"image": folder}], [crop])
    np.testing.assert_array_equal(np.array(batch["image"])[0, 0], volume[2:11, 3:23, 4:20])
    beyond = mt.Crop("image", start=(3, 3, 4), size=(9, 20, 16))
    with pytest.raises(mt.Error) as raised:
        list(mt.Loader([{"image": folder}], [beyond]))
    assert last.name in str(raised.value)


def test_lists_elsewhere_are_passed_on(cohort):
    folder, _ = cohort[0]
    item = {"image": folder, "tags": ["a", "b"], "empty": [], "mixed": ["a", 1]}
    (batch,) = mt.Loader([item])
    assert batch["tags"] == [["a", "b"]]
    assert batch["empty"] == [[]]
    assert batch["mixed"] == [["a", 1]]


def test_items_from_dicom(cohort):
    top = cohort[0][0].parent
    items = mt.items.from_dicom(top)
    assert [(i["patient_id"], i["modality"], len(i["image"])) for i in items] == [
        ("P0", "MR", SHAPE[0]),
        ("P1", "MR", SHAPE[0]),
        ("P2", "CT", SHAPE[0]),
    ]
    assert [i["patient_id"] for i in mt.items.from_dicom(top, modality="CT")] == ["P2"]
    for batch, (_, volume) in zip(mt.Loader(items), cohort, strict=True):
        np.testing.assert_array_equal(np.array(batch["image"])[0, 0], volume)
    with pytest.raises(mt.NotFoundError, match="modality PT"):
        mt.items.from_dicom(top, modality="PT")


def test_a_bad_list_is_named(cohort, tmp_path):
    folder, _ = cohort[0]
    absent = tmp_path / "absent.dcm"
    with pytest.raises(mt.NotFoundError, match=r"absent\.dcm"):
        list(mt.Loader([{"image": [*folder.iterdir(), absent]}]))
    loader = mt.Loader([{"image": [Path(absent)]}, {"image": [*folder.iterdir()]}], on_error="skip")
    assert sum(len(b["image"]) for b in loader) == 1
