"""Models, layers and what they are made of, from rnn_core to Keras and back."""
