"""Looking inside a model: every number of a training step, forwards and backwards, and what is wrong with it.

    trace             one forward and backward pass: inputs, pre-activations, hidden states, outputs, their gradients
    bptt              backpropagation through time, item by item; as arrays, as DataFrames, written out with numbers
    credit            how far back gradients reach: the Jacobians dh_t/dh_k, their norms and singular values
    spectrum          eigenvalues and singular values of a recurrent kernel
    diagnose          what is wrong or worth knowing, in plain words
    check_gradients   every gradient against central differences in float64
    report            all of it in one HTML file
    worksheet         a small network to be computed by hand, with its answers
    pictures          all of it drawn (``from rnn_core.inspection import pictures``)

Each works on a copy: a model that is looked at is not changed. All of them take any graph, several inputs and outputs
as lists, or dicts by name. The second call of a shared layer is ``"rnn #2"``; the layers inside others are
``"bidirectional/forward_simple_rnn"``, ``"td/dense"``, and the cells of a stack ``"rnn/simple_rnn_cell"``.

Examples
--------
>>> import numpy as np
>>> from rnn_core.layers import Dense, Input, SimpleRNN
>>> from rnn_core.models import Sequential
>>> model = Sequential([Input((12, 1)), SimpleRNN(8, name="rnn"), Dense(1)])
>>> model.compile(loss="mse", optimizer="rmsprop")
>>> draws = np.random.default_rng(0)
>>> x, y = draws.standard_normal((4, 12, 1)), draws.standard_normal(4)
>>> t = trace(model, x, y)
>>> t["rnn"].preactivation.shape, bptt(t).contributions["recurrent_kernel"].shape, credit(t).jacobian(11, 0).shape
((4, 12, 8), (12, 8, 8), (4, 8, 8))
>>> assert check_gradients(model, x, y)
"""

from rnn_core.inspection.bptt import BPTT, bptt
from rnn_core.inspection.credit import Credit, Spectrum, credit, spectrum
from rnn_core.inspection.diagnosis.diagnosing import diagnose
from rnn_core.inspection.diagnosis.findings import Finding, Findings
from rnn_core.inspection.gradient_check import Difference, GradientReport, check_gradients
from rnn_core.inspection.pages.exercise import Worksheet, worksheet
from rnn_core.inspection.pages.model_report import report
from rnn_core.inspection.run import cast
from rnn_core.inspection.traces.cells import CellTrace, JordanTrace, SimpleRNNCellTrace
from rnn_core.inspection.traces.layers import ActivatedTrace, ActivationTrace, DenseTrace, LayerTrace
from rnn_core.inspection.traces.recurrent import ElmanTrace, RecurrentTrace, SimpleRNNTrace
from rnn_core.inspection.traces.tracing import Trace, trace

__all__ = [
    "BPTT",
    "ActivatedTrace",
    "ActivationTrace",
    "CellTrace",
    "Credit",
    "DenseTrace",
    "Difference",
    "ElmanTrace",
    "Finding",
    "Findings",
    "GradientReport",
    "JordanTrace",
    "LayerTrace",
    "RecurrentTrace",
    "SimpleRNNCellTrace",
    "SimpleRNNTrace",
    "Spectrum",
    "Trace",
    "Worksheet",
    "bptt",
    "cast",
    "check_gradients",
    "credit",
    "diagnose",
    "report",
    "spectrum",
    "trace",
    "worksheet",
]
