"""onnxruntime: the model as an ONNX graph, for predictions.

A SimpleRNN is ONNX' RNN between two transpositions, as exporters write it. One time step from h0 = 0 is the same as
a Gemm, which is faster, and is written as that.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.engines import runner
from benchmarks.workloads import Array, Workload

OPSET, IR_VERSION = 17, 9  # old enough for every onnxruntime of today


class Runner(runner.Runner):
    """One workload's predictions in onnxruntime."""

    def __init__(self, workload: Workload, threads: int = 1) -> None:
        super().__init__(workload, threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = onnx_model(workload, self.weights)
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict(self) -> Array:
        """Return the outputs for the whole x."""
        return self.in_chunks(lambda rows: np.asarray(self.session.run(None, {"x": rows})[0]), self.x)


def onnx_model(workload: Workload, weights: list[Array]) -> bytes:
    """Return the model as an ONNX file holds it; a SimpleRNN gives its last output."""
    nodes, constants = [], []
    remaining = iter(weights)
    x, inputs = "x", workload.features

    def constant(name: str, value: Array) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, sources: list[str], name: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    for index, (kind, settings) in enumerate(workload.layers):
        kernel = next(remaining)
        if kind == "SimpleRNN":
            recurrent_kernel, bias = next(remaining), next(remaining)
            activation = settings.get("activation", "tanh").capitalize()
            if workload.timesteps > 1:
                biases = np.concatenate([bias, np.zeros_like(bias)])
                sources = [
                    node("Transpose", [x], f"time_major_{index}", perm=[1, 0, 2]),
                    constant(f"W_{index}", kernel.T[np.newaxis]),
                    constant(f"R_{index}", recurrent_kernel.T[np.newaxis]),
                    constant(f"B_{index}", biases[np.newaxis]),
                ]
                last = f"last_{index}"  # (1, B, H)
                nodes.append(
                    helper.make_node("RNN", sources, ["", last], hidden_size=len(bias), activations=[activation])
                )
                x = node("Squeeze", [last, constant(f"axis_{index}", np.array([0]))], f"h_{index}")
                continue
            shape = constant(f"shape_{index}", np.array([-1, inputs]))
            x = node("Reshape", [x, shape], f"step_{index}")
        else:
            bias, activation = next(remaining), settings.get("activation", "linear").capitalize()
        product = [x, constant(f"K_{index}", kernel), constant(f"b_{index}", bias)]
        x = node("Gemm", product, f"a_{index}")
        if activation != "Linear":
            x = node(activation, [x], f"activated_{index}")

    graph = helper.make_graph(
        nodes,
        workload.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *workload.input_shape])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [None, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
