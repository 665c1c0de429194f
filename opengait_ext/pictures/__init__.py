"""Pictures: joints over silhouettes, biases, TensorBoard images."""
