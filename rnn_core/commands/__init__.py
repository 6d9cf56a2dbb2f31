"""The arguments of each command of ``rnn-core``, checked before any work starts: one file a command."""
