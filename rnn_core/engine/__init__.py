"""What runs a model: passes through its graph, the training loop, ``fit``, ``evaluate`` and ``predict``."""
