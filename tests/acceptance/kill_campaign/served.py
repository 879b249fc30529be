"""What a worker of the campaign loads: the mill, with the fault that the test asks for."""

from __future__ import annotations

import os
from pathlib import Path

from tests.acceptance.kill_campaign import faults
from tests.acceptance.kill_campaign.mill import build

app = build(Path(os.environ["MILL_FOLDER"]))
faults.apply(os.environ.get("MILL_FAULTS", ""))
