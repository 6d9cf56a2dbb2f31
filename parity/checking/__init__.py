"""One batch through both engines, in float64 and float32, and what each line of the report must meet."""
