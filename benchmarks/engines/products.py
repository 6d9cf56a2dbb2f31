"""The floor of a training step: its matrix products, and nothing else.

For one SimpleRNN layer, h_t = tanh(x_t K + h_{t-1} U + b) for T steps of a batch B, time-major (T, B, ...)::

    forward    x K              (T B, D) (D, H)           all steps at once
               h_{t-1} U        (B, H) (H, H)             T - 1 times: h_0 is zero
    backward   d_t U'           (B, H) (H, H)             T - 1 times: nothing before h_0 needs a gradient
               dU = h' d        (H, (T-1) B) ((T-1) B, H) all steps at once
               dK = x' d        (D, T B) (T B, H)         all steps at once
               dx = d K'        (T B, H) (H, D)           not for the first layer: its input needs none

with d_t the gradient of the loss by the pre-activation of step t. Every product writes into an array made
before, by a bound ``a.dot(b, out)``, reads what the one before it wrote, and finds U' copied to a contiguous
matrix: as few and as fast as an honest backpropagation through time can have them.

``python -m benchmarks.engines.products`` lists the products of every training step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import runner
from benchmarks.workloads import W3, W4, W5, W7, Array, Workload


class Product(NamedTuple):
    """``left.dot(right, out)``."""

    what: str
    left: Array
    right: Array
    out: Array


def training_step(workload: Workload) -> list[Product]:
    """Return the products of one training step of `workload`, in the order in which they are due."""
    batch, timesteps = workload.batch_size, workload.timesteps
    x = workload.data()[0][:batch].swapaxes(0, 1).reshape(timesteps * batch, -1)  # (T B, D)
    weights = iter(workload.weights())
    forward: list[Product] = []
    backward: list[Product] = []  # last product first
    for index, (kind, settings) in enumerate(workload.layers):
        name = f"{kind} {index}"
        kernel = next(weights)  # (D, H)
        y = np.empty((len(x), settings["units"]), np.float32)  # (T B, H), or (B, H) after the last step
        d = noise(y.shape)  # stands for the gradient by the pre-activation
        forward.append(Product(f"{name}: x K", x, kernel, y))
        if index:
            backward.append(Product(f"{name}: dx = d K'", d, kernel.T, np.empty_like(x)))
        backward.append(Product(f"{name}: dK = x' d", x.T, d, np.empty_like(kernel)))
        if kind == "SimpleRNN":
            recurrent_kernel = next(weights)  # (H, H)
            transposed = recurrent_kernel.T.copy()
            h, d_t = y.reshape(timesteps, batch, -1), d.reshape(timesteps, batch, -1)
            d_recurrent = np.empty_like(recurrent_kernel)
            for t in range(1, timesteps):
                forward.append(Product(f"{name}: h U", h[t - 1], recurrent_kernel, h[t]))
            backward.append(Product(f"{name}: dU = h' d", y[:-batch].T, d[batch:], d_recurrent))
            for t in range(1, timesteps):
                backward.append(Product(f"{name}: d U'", d_t[t], transposed, d_t[t - 1]))
            if not settings.get("return_sequences"):
                y = h[-1]
        next(weights)  # the bias takes no product
        x = y
    return forward + backward[::-1]


def noise(shape: tuple[int, ...]) -> Array:
    """Return normal noise: U is orthogonal, so that no product here meets a denormal number."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


class Runner(runner.Runner):
    """The products of one workload's training steps."""

    computes = False

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        self.calls = [(product.left.dot, product.right, product.out) for product in training_step(workload)]

    def train(self) -> None:
        """Compute them as often as a fit has steps."""
        for _ in range(self.workload.steps):
            for dot, right, out in self.calls:
                dot(right, out)


def main() -> None:
    """Print the products of every training step, and their number of multiplications."""
    for workload in (W3, W4, W5, W7):
        products = training_step(workload)
        total = sum(product.left.size * product.right.shape[1] for product in products)
        print(f"{workload.name}: {len(products)} products, {total / 1e6:.0f} million multiplications")
        kinds: dict[str, list[Product]] = {}
        for product in products:
            kinds.setdefault(product.what, []).append(product)
        for what, same in kinds.items():
            print(f"  {len(same):5} x  {what:<26} {same[0].left.shape} {same[0].right.shape}")


if __name__ == "__main__":
    main()
