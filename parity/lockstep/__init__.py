"""Both engines trained side by side: step by step on the same batches, and as distributions over seeds."""
