"""The DICOM tables in the tree are those that the standard's facts give.

SPDX-License-Identifier: Apache-2.0
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FACTS = ROOT.parent / "shared" / "standard"


@pytest.mark.skipif(not (FACTS / "dicom_dictionary.tsv").exists(), reason="no ../shared/standard")
def test_generated_tables():
    tool = ROOT / "tools" / "gen_dicom_tables.py"
    run = subprocess.run(
        [sys.executable, tool, "--check", "--facts", FACTS], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
