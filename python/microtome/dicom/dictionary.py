"""The data dictionary of PS3.6: what is known of a tag or keyword, and of a UID.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import NamedTuple

from .. import _core

__all__ = ["Entry", "Uid", "entry", "uid"]


class Entry(NamedTuple):
    """What PS3.6 says of an element: vr and vm as it writes them ("US or SS", "1-n")."""

    tag: int
    vr: str
    vm: str
    keyword: str
    name: str
    retired: bool


class Uid(NamedTuple):
    """A well-known UID of PS3.6 annex A. type: "Transfer Syntax", "SOP Class", …"""

    uid: str
    name: str
    type: str
    keyword: str
    retired: bool


def entry(tag: str | int) -> Entry | None:
    """The dictionary's entry of a tag (0x00100010) or keyword ("PatientName"); None: it has none."""
    found = _core.dicom_entry(tag)
    return Entry(*found) if found else None


def uid(uid: str) -> Uid | None:
    """A well-known UID, by itself or its keyword; None: not well known."""
    found = _core.dicom_uid(uid)
    return Uid(*found) if found else None
