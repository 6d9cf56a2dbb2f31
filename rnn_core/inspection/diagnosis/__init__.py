"""What is wrong with a model or its data, or worth knowing: findings in plain words, with the numbers."""
