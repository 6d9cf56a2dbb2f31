"""What a model computes, as pictures: over time, over weights, over training.

    model_graph, unrolled        the model itself
    hidden_states, gradients     a traced batch over time, forwards and backwards
    reach, eigenvalues           how far back gradients go, and the recurrent kernel against the unit circle
    weight_maps                  weights beside their gradients
    training_curves, prediction  how it learned, and what it says beside the truth; several_predictions where that is
                                 several values, and confusion where it is a class
    elman_or_jordan              what tells the two networks apart

Every picture is a matplotlib figure that belongs to no window: it shows itself in a notebook, and
``figure.savefig("states.svg")`` writes it. Colours can be told apart by the colour-blind.

Examples
--------
>>> from rnn_core.inspection import trace
>>> from rnn_core.tutorial import Tutorial
>>> tutorial = Tutorial(layout="stepx1")
>>> traced = trace(tutorial.model, tutorial.train.inputs, tutorial.train.targets)
>>> figure = hidden_states(traced)
>>> figure.axes[0].get_title(loc="left")
'simple_rnn...: hidden states of sample 0'
"""

from rnn_core.inspection.pictures.graph import model_graph
from rnn_core.inspection.pictures.outputs import confusion, several_predictions
from rnn_core.inspection.pictures.over_time import eigenvalues, gradients, hidden_states, reach
from rnn_core.inspection.pictures.results import prediction, training_curves
from rnn_core.inspection.pictures.signal_path import elman_or_jordan
from rnn_core.inspection.pictures.unrolling import unrolled
from rnn_core.inspection.pictures.weights import weight_maps

__all__ = [
    "confusion",
    "eigenvalues",
    "elman_or_jordan",
    "gradients",
    "hidden_states",
    "model_graph",
    "prediction",
    "reach",
    "several_predictions",
    "training_curves",
    "unrolled",
    "weight_maps",
]
