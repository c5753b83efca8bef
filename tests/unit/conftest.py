"""Put the made-by-hand studies and bundles on the path of these tests."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "analysis")]
