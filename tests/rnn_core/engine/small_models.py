"""Layers of small models: what is called on ``keras`` or ``rnn_core`` returns a list of that one's layers."""

from __future__ import annotations


def plain(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(1)]


def relu_and_dense(k):
    return [k.layers.SimpleRNN(4, activation="relu"), k.layers.Dense(3, activation="sigmoid"), k.layers.Dense(1)]


def binary(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(1, activation="sigmoid")]


def classes(k):
    return [k.layers.SimpleRNN(3), k.layers.Dense(3, activation="softmax")]


def sequence(k):
    return [k.layers.SimpleRNN(3, return_sequences=True), k.layers.Dense(1)]


def masked(k):
    return [k.layers.Masking(), k.layers.SimpleRNN(3, return_sequences=True), k.layers.SimpleRNN(2), k.layers.Dense(1)]


def masked_sequence(k):
    return [k.layers.Masking(), *sequence(k)]


def penalised(k):
    # In Keras these numbers are float32, whatever floatx is: here they are powers of two.
    l1, l2, both = k.regularizers.L1(2**-6), k.regularizers.L2(2**-5), k.regularizers.L1L2(2**-6, 2**-5)
    return [
        k.layers.SimpleRNN(3, kernel_regularizer=l1, recurrent_regularizer=both, bias_regularizer=l2),
        k.layers.Dense(2, "tanh", kernel_regularizer=l2, bias_regularizer=l1, activity_regularizer=both),
        k.layers.Dense(1, activity_regularizer=l2),
    ]


def confined(k):
    unit, most = k.constraints.UnitNorm(axis=0), k.constraints.MaxNorm(0.5)
    return [
        k.layers.SimpleRNN(3, kernel_constraint=unit, recurrent_constraint=most, bias_constraint="non_neg"),
        k.layers.Dense(1, kernel_constraint=k.constraints.MinMaxNorm(0.2, 0.4, 0.5), bias_constraint="non_neg"),
    ]


def stateful(k):
    return [k.layers.SimpleRNN(3, stateful=True), k.layers.Dense(1)]
