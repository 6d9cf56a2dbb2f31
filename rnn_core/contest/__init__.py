"""``rnn-core forecast``: networks and baselines compete on a table of one's own."""
