"""The sweep that every route runs: 200 simulated points, and what the routes' scripts need."""

from __future__ import annotations

import json
import sys
from typing import Any

EXPERIMENT = "experiments/launch-quick.json"
# 2 temperatures x 2 verifiers x 2 deliveries x 25 links.
GRID: dict[str, list[Any]] = {
    "/temperature": ["cold", "hot"],
    "/verifier": ["sha256", "mac"],
    "/delivery": ["extract", "fuse"],
    "/origin_link/rtt": ["1ms", "5ms", "20ms", "50ms", "100ms"],
    "/origin_link/bandwidth": ["10Mbit/s", "50Mbit/s", "100Mbit/s", "1Gbit/s", "10Gbit/s"],
}


def say(sweep: Any) -> None:
    """One line that the test reads: digest, points, errors."""
    print(json.dumps({"digest": sweep.digest, "points": len(sweep.points), "errors": list(sweep.errors.error)}))
    sys.stdout.flush()
