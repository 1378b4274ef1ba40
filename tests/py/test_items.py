"""mt.items: lists of items from tables, folders and the layouts of public data sets; splitting.
SPDX-License-Identifier: Apache-2.0
"""

import json
import math

import microtome as mt
import pytest


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return str(path)


def test_csv_types_columns_and_resolves_paths(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(
        "image,age,weight,name,code\na/x.nii.gz,31,70,x,01\n\n/abs/y.nii,40,71.5,y,AB\n", encoding="utf-8-sig"
    )
    items = mt.items.from_csv(table)
    assert items == [
        {"image": str(tmp_path / "a/x.nii.gz"), "age": 31, "weight": 70.0, "name": "x", "code": "01"},
        {"image": "/abs/y.nii", "age": 40, "weight": 71.5, "name": "y", "code": "AB"},
    ]
    assert [type(v) for v in items[0].values()] == [str, int, float, str, str]
    assert mt.items.from_csv(table, root="/r")[0]["image"] == "/r/a/x.nii.gz"


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_csv_finds_its_delimiter(tmp_path, mark):
    table = tmp_path / "t.txt"
    table.write_text(f'image{mark}note\nx.nii{mark}"a{mark}b"\n')
    assert mt.items.from_csv(table)[0]["note"] == f"a{mark}b"


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "no header"), ("a,b\n1\n", "line 2"), ("a,a\n1,2\n", "unique"), ("a,\n1,2\n", "empty")],
)
def test_csv_errors_name_the_fault(tmp_path, text, says):
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(mt.CorruptError, match=says):
        mt.items.from_csv(table)
    with pytest.raises(FileNotFoundError):
        mt.items.from_csv(tmp_path / "absent.csv")


def test_folder_orders_by_number_and_pairs_fields(tmp_path):
    for case in ("s2", "s10", "s1"):
        touch(tmp_path / case / "t1.nii.gz")
        touch(tmp_path / case / "seg.nii.gz")
    plain = mt.items.from_folder(str(tmp_path / "**" / "t1.nii.gz"))
    assert [i["image"].split("/")[-2] for i in plain] == ["s1", "s2", "s10"]
    paired = mt.items.from_folder(f"{tmp_path}/{{case}}/t1.nii.gz", label=f"{tmp_path}/{{case}}/seg.nii.gz")
    assert paired[2] == {
        "image": f"{tmp_path}/s10/t1.nii.gz",
        "label": f"{tmp_path}/s10/seg.nii.gz",
        "case": "s10",
    }
    (tmp_path / "s2" / "seg.nii.gz").unlink()
    with pytest.raises(mt.NotFoundError, match="s2/seg"):
        mt.items.from_folder(f"{tmp_path}/{{case}}/t1.nii.gz", label=f"{tmp_path}/{{case}}/seg.nii.gz")
    with pytest.raises(mt.NotFoundError, match="no file matches"):
        mt.items.from_folder(str(tmp_path / "*.nope"))
    with pytest.raises(ValueError, match="name"):
        mt.items.from_folder(str(tmp_path / "*" / "t1.nii.gz"), label="x")


def test_folder_pattern_with_one_name_twice(tmp_path):
    touch(tmp_path / "a" / "a_t1.nii")
    touch(tmp_path / "b" / "other_t1.nii")
    items = mt.items.from_folder(f"{tmp_path}/{{case}}/{{case}}_t1.nii")
    assert [i["case"] for i in items] == ["a"]


def test_bids_joins_participants_and_labels(tmp_path):
    for name in ("sub-01/ses-a/anat/sub-01_ses-a_T1w", "sub-02/anat/sub-02_T1w"):
        touch(tmp_path / f"{name}.nii.gz")
        touch(tmp_path / f"{name}.json")
    touch(tmp_path / "sub-01/ses-a/anat/sub-01_ses-a_T2w.nii.gz")
    touch(tmp_path / "derivatives/seg/sub-01/ses-a/anat/sub-01_ses-a_dseg.nii.gz")
    touch(tmp_path / "derivatives/seg/sub-02/anat/sub-02_dseg.nii.gz")
    (tmp_path / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t30\tF\nsub-02\tn/a\tM\n")
    one, two = mt.items.from_bids(tmp_path, label="dseg")
    assert one["image"].endswith("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz")
    assert one["label"].endswith("sub-01_ses-a_dseg.nii.gz")
    assert (one["subject"], one["session"], one["age"], one["sex"]) == ("01", "a", 30.0, "F")
    assert (two["session"], two["sex"]) == ("", "M") and math.isnan(two["age"])
    assert len(mt.items.from_bids(tmp_path, suffix="T2w")) == 1
    with pytest.raises(mt.NotFoundError, match="FLAIR"):
        mt.items.from_bids(tmp_path, suffix="FLAIR")
    with pytest.raises(mt.NotFoundError, match="sub-01"):
        mt.items.from_bids(tmp_path, label="mask")


def test_decathlon(tmp_path):
    (tmp_path / "dataset.json").write_text(
        json.dumps(
            {
                "name": "Task09",
                "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
                "test": ["./imagesTs/b.nii.gz"],
            }
        )
    )
    assert mt.items.from_dataset_json(tmp_path) == [
        {"image": str(tmp_path / "imagesTr/a.nii.gz"), "label": str(tmp_path / "labelsTr/a.nii.gz")}
    ]
    assert mt.items.from_dataset_json(tmp_path / "dataset.json", "test") == [
        {"image": str(tmp_path / "imagesTs/b.nii.gz")}
    ]


def test_nnunet(tmp_path):
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".nii.gz", "numTraining": 1})
    )
    for c in range(2):
        touch(tmp_path / f"imagesTr/case_001_000{c}.nii.gz")
    touch(tmp_path / "labelsTr/case_001.nii.gz")
    (item,) = mt.items.from_dataset_json(tmp_path)
    assert item["case"] == "case_001" and item["image_0001"].endswith("case_001_0001.nii.gz")
    assert item["label"].endswith("labelsTr/case_001.nii.gz")
    (tmp_path / "labelsTr/case_001.nii.gz").unlink()
    with pytest.raises(mt.NotFoundError, match="case_001"):
        mt.items.from_dataset_json(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"training": [{"label": 1}]}'])
def test_dataset_json_errors(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(mt.CorruptError):
        mt.items.from_dataset_json(tmp_path)


def test_split_is_a_partition_and_reproducible():
    items = [{"i": i} for i in range(103)]
    parts = mt.items.split(items, (0.7, 0.2, 0.1), seed=3)
    assert [len(p) for p in parts] == [72, 21, 10]
    assert sorted(i["i"] for p in parts for i in p) == list(range(103))
    assert all([i["i"] for i in p] == sorted(i["i"] for i in p) for p in parts)
    assert parts == mt.items.split(items, (0.7, 0.2, 0.1), seed=3)
    assert parts != mt.items.split(items, (0.7, 0.2, 0.1), seed=4)


def test_split_stratified():
    items = [{"i": i, "site": "rare" if i % 10 == 0 else "common"} for i in range(200)]
    for seed in range(5):
        a, b = mt.items.split(items, (0.8, 0.2), seed=seed, stratify="site")
        assert abs(sum(i["site"] == "rare" for i in b) - 4) <= 1
        assert abs(len(b) - 40) <= 1 and len(a) + len(b) == 200
    halves = mt.items.split(items, (0.5, 0.5), stratify=lambda item: item["i"] % 3)
    for k in range(3):
        assert abs(sum(i["i"] % 3 == k for i in halves[0]) - 33) <= 1


@pytest.mark.parametrize("fractions", [(), (0.6, 0.5), (-0.1, 0.5)])
def test_split_refuses_fractions(fractions):
    with pytest.raises(ValueError, match="fractions"):
        mt.items.split([{}], fractions)
