"""An engine that ends its own process in the middle of the work, or never comes back."""

from __future__ import annotations

import os
import time

from benchmarks.engines import runner


class Runner(runner.Runner):
    """What it does depends on the epochs."""

    computes = False

    def train(self):
        print("a library that prints must not disturb the replies")
        if self.workload.epochs == 1:
            os._exit(3)
        if self.workload.epochs == 2:
            raise ValueError("no such\nthing")
        time.sleep(600)
