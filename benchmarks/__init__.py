"""What the engine costs, beside floors that it can be judged by: plain C, and its own matrix products.

- :mod:`benchmarks.workloads`: W1 to W7, each written once (shapes, layers, data, initial weights).
- :mod:`benchmarks.engine_rnn_core`: runs a workload through rnn_core's public API; one such file an engine.
- :mod:`benchmarks.plain_c`: W1's fit in plain C (``w1.c``).
- :mod:`benchmarks.products`: the matrix products of one training step and nothing else.
- :mod:`benchmarks.measure`: interleaved rounds, fresh processes, memory, allocations.
- :mod:`benchmarks.targets`: ``python -m benchmarks.targets`` measures the engine against its targets.

The package belongs to the repository and is not installed: run it from the repository's folder.
"""
