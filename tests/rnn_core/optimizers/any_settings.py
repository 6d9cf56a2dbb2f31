"""What Hypothesis may set in an optimizer."""

from __future__ import annotations

from hypothesis import strategies as st

from rnn_core.optimizers import SGD, Adam, AdamW, RMSprop

CLIPS = st.sampled_from([{}, {"clipnorm": 0.7}, {"clipvalue": 0.3}, {"global_clipnorm": 1.1}])
AVERAGES = st.sampled_from(
    [{}, {"use_ema": True, "ema_momentum": 0.9}, {"use_ema": True, "ema_overwrite_frequency": 5}]
)
DECAYS = st.sampled_from([{}, {"weight_decay": 0.03}])
OWN = {
    RMSprop: st.fixed_dictionaries(
        {
            "momentum": st.sampled_from([0.0, 0.9]),
            "centered": st.booleans(),
            "rho": st.sampled_from([0.9, 0.5]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
        }
    ),
    SGD: st.fixed_dictionaries({"momentum": st.sampled_from([0.0, 0.9]), "nesterov": st.booleans()}),
    Adam: st.fixed_dictionaries(
        {
            "beta_1": st.sampled_from([0.9, 0.5]),
            "beta_2": st.sampled_from([0.999, 0.9]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
            "amsgrad": st.booleans(),
        }
    ),
    AdamW: st.fixed_dictionaries(
        {
            "weight_decay": st.sampled_from([0.004, 0.1]),
            "beta_1": st.sampled_from([0.9, 0.5]),
            "beta_2": st.sampled_from([0.999, 0.9]),
            "epsilon": st.sampled_from([1e-7, 1e-3]),
            "amsgrad": st.booleans(),
        }
    ),
}
