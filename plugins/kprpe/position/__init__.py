"""The position bias: distance buckets, the tables f(P), and the bias of a grid or of windows."""
