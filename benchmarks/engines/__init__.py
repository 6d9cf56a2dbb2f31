"""The engines that are compared: one file each, and one small protocol.

An engine's file holds a class `Runner` (a subclass of :class:`benchmarks.engines.runner.Runner`): one workload, made
ready to run. The file is imported only in the engine's own process, so this table can be read without any peer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

from benchmarks.workloads import Workload

OURS = "rnn_core"


@dataclass(frozen=True)
class Engine:
    """What is known of an engine before it runs.

    Attributes
    ----------
    name : str
        As on the command line.
    title : str
        As in the tables.
    module : str
        Its file.
    setting : str
        How it is run, for the report.
    needs : tuple of str
        Packages that must be installed. The first is what ``import`` is timed with.
    workloads : tuple of str
        What it runs: kinds (``"fit"``, ``"step"``, ``"predict"``) or names (``"W1"``).
    environment : dict
        Environment variables of its process.
    floor : bool
        Whether it is no engine but what none can be expected to beat.
    """

    name: str
    title: str
    module: str
    setting: str
    needs: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ("fit", "step", "predict")
    environment: dict[str, str] = field(default_factory=dict)
    floor: bool = False

    def runs(self, workload: Workload) -> bool:
        """Return whether this engine takes part in `workload`."""
        return workload.times in self.workloads or workload.name in self.workloads

    def missing(self) -> list[str]:
        """Return the needed packages that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


def _keras(backend: str, title: str, setting: str) -> Engine:
    return Engine(
        f"keras-{backend}",
        title,
        f"benchmarks.engines.keras_{backend}",
        setting,
        ("keras", backend),
        environment={"KERAS_BACKEND": backend},
    )


_ENGINES = (
    Engine(OURS, "rnn_core", "benchmarks.engines.rnn_core", "fit, predict", ("rnn_core",)),
    Engine(
        "numpy",
        "NumPy as in tutorials",
        "benchmarks.engines.numpy_tutorial",
        "a dict of parameters, a Python loop over the time steps, an optimizer loop over the parameters",
        ("numpy",),
    ),
    _keras(
        "tensorflow",
        "Keras on TensorFlow",
        "fit with jit_compile=True, steps_per_execution = an epoch, unroll up to 8 time steps; "
        "predict_on_batch for one sample, predict in batches of 10,000 for many",
    ),
    _keras("jax", "Keras on JAX", "the same, without unroll, which does not help it"),
    _keras("torch", "Keras on torch", "fit, eager, denormals flushed; predict as above"),
    Engine(
        "torch",
        "PyTorch",
        "benchmarks.engines.pytorch",
        "nn.RNN and nn.Linear, eager, an optimizer of torch._foreach operations, denormals flushed; "
        "predictions in inference_mode, in batches of 10,000",
        ("torch",),
    ),
    Engine(
        "jax-step",
        "JAX, step jitted",
        "benchmarks.engines.jax_step",
        "a training step is one jitted function with donated state; a Python loop over the batches; "
        "predictions in batches of 10,000",
        ("jax",),
    ),
    Engine(
        "jax-fit",
        "JAX, whole fit jitted",
        "benchmarks.engines.jax_fit",
        "all epochs, their shuffles and steps are one jitted lax.scan",
        ("jax",),
        ("fit", "step"),
    ),
    Engine(
        "onnxruntime",
        "onnxruntime",
        "benchmarks.engines.onnx_runtime",
        "an ONNX graph of Gemm, RNN and Relu; a single time step from h0 = 0 is written as Gemm; batches of 10,000",
        ("onnxruntime", "onnx"),
        ("predict",),
    ),
    Engine("c", "plain C", "benchmarks.engines.plain_c", "gcc -O3", (), ("W1",), floor=True),
    Engine(
        "products",
        "matrix products alone",
        "benchmarks.engines.products",
        "the products of a training step and nothing else",
        ("numpy",),
        ("step",),
        floor=True,
    ),
)

ENGINES = {engine.name: engine for engine in _ENGINES}
