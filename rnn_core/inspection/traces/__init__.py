"""What a pass computed, layer by layer: the engine's own records under names."""
