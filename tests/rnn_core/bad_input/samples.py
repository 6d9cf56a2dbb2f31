"""Data that a small model takes, to be spoilt in one place."""

from __future__ import annotations

import numpy as np

X = np.zeros((8, 3, 2), np.float32)
Y = np.zeros((8, 1), np.float32)
W = np.ones(8)
NAN, INF = np.nan, np.inf


def with_one(array, value, place=-1):
    array = array.copy()
    array.flat[place] = value
    return array


BAD_COUNT = "must be an integer of at least"
