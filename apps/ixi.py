"""Where the published IXI data lies, and which scans and labels the published programs take.

IXI (brain-development.org): folders of IDnnn-SITE-NUMBER-SEQUENCE.nii.gz. Its Hammersmith part as DLTK's preparation leaves it:
demographic_HH.csv, 1mm/IXInnn/{T1,T2,PD,MRA}_1mm.nii.gz and 2mm/IXInnn/…_2mm.nii.gz, isotropic.
SPDX-License-Identifier: Apache-2.0
"""

import csv
from pathlib import Path

import numpy as np
from common import Fail

# The twenty scans and labels (0 man, 1 woman) of the published MONAI example, in its order: first ten train, last ten validate.
SCANS = [
    "IXI314-IOP-0889",
    "IXI249-Guys-1072",
    "IXI609-HH-2600",
    "IXI173-HH-1590",
    "IXI020-Guys-0700",
    "IXI342-Guys-0909",
    "IXI134-Guys-0780",
    "IXI577-HH-2661",
    "IXI066-Guys-0731",
    "IXI130-HH-1528",
    "IXI607-Guys-1097",
    "IXI175-HH-1570",
    "IXI385-HH-2078",
    "IXI344-Guys-0905",
    "IXI409-Guys-0960",
    "IXI584-Guys-1129",
    "IXI253-HH-1694",
    "IXI092-HH-1436",
    "IXI574-IOP-1156",
    "IXI585-Guys-1130",
]
SEXES = (0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0)


def named_scans(folder):
    """The twenty T1 scans: {"image", "sex"}, from the folder or its IXI-T1."""
    folder = folder / "IXI-T1" if (folder / "IXI-T1").is_dir() else folder
    items = [{"image": str(folder / f"{s}-T1.nii.gz"), "sex": sex} for s, sex in zip(SCANS, SEXES)]
    missing = [item["image"] for item in items if not Path(item["image"]).exists()]
    if missing:
        raise Fail(f"{missing[0]} is missing, with {len(missing) - 1} more of the twenty named IXI scans")
    return items


def random_split(items, seed=0, val=0.2, test=0.2):
    """The example's other split: one random number per item, below `val` validation, below val + test test, else training."""
    draw = np.random.RandomState(seed).random_sample(len(items))
    parts = (draw >= val + test, draw < val, (draw >= val) & (draw < val + test))
    return [[item for item, inside in zip(items, part) if inside] for part in parts]


def hammersmith(folder, resolution, sequences, target=None):
    """Subjects of demographic_HH.csv: {sequence: path, …, "sex": 0 or 1, "age": years}; those without the target are left out."""
    table = folder / "demographic_HH.csv"
    if not table.exists():
        raise Fail(f"{table} is missing: --data wants the folder IXI_HH that DLTK's preparation makes")
    items = []
    for row in csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()):
        subject = folder / resolution / row["IXI_ID"]
        item = {name: str(subject / f"{name.upper()}_{resolution}.nii.gz") for name in sequences}
        sex = next(value for name, value in row.items() if name.startswith("SEX_ID"))
        facts = {"sex": sex, "age": row["AGE"]}
        if target and not facts[target].strip():
            continue  # some ages are unknown
        number = {"sex": lambda text: int(text) - 1, "age": float}.get(target)
        items.append({**item, target: number(facts[target])} if target else item)
    if len(items) < 3:
        raise Fail(f"{table} names {len(items)} usable subjects; at least three are wanted")
    return items
