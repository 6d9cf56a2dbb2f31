"""An engine with torch's RMSprop: epsilon outside the root. It must be found out before it is timed."""

from __future__ import annotations

import numpy as np

from benchmarks.engines import numpy_tutorial
from benchmarks.workloads import RMSPROP


class Runner(numpy_tutorial.Runner):
    """NumPy as in tutorials, but for the optimizer."""

    def train_step(self, x, y):
        outputs, cache = self.forward(x)
        error = outputs - y
        for name, g in self.backward(2 * error / error.size, cache).items():
            self.means[name] = RMSPROP["rho"] * self.means[name] + (1 - RMSPROP["rho"]) * g**2
            self.parameters[name] -= RMSPROP["learning_rate"] * g / (np.sqrt(self.means[name]) + RMSPROP["epsilon"])
        return float(np.mean(error**2))
