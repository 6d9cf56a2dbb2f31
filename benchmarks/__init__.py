"""What the engine costs beside what a user would pick instead: ``python -m benchmarks``.

- :mod:`benchmarks.workloads`: W1 to W7, each written once (shapes, layers, data, initial weights).
- :mod:`benchmarks.engines`: the engines, one file each, and the table of them.
- :mod:`benchmarks.worker`: a process of its own for every engine.
- :mod:`benchmarks.agreement`: results are compared before anything is timed.
- :mod:`benchmarks.rounds`: engines take turns.
- :mod:`benchmarks.spread`, :mod:`benchmarks.compare`: the statistics, and a run beside an older one.
- :mod:`benchmarks.growth`: how the cost grows with T, B, H and N.
- :mod:`benchmarks.document`, :mod:`benchmarks.tables`, :mod:`benchmarks.chart`: what was found, shown.
- :mod:`benchmarks.targets`: ``python -m benchmarks.targets`` measures the engine against its own targets;
  :mod:`benchmarks.measure` holds what both use.

No harness is used: pyperf, the best of them, runs one benchmark to its end in processes of its own before it starts
the next, and cannot let engines take turns in rounds, on which the ratios here rest.

The package belongs to the repository and is not installed: run it from the repository's folder, with
``pip install -e '.[bench]'`` for the peers.
"""
