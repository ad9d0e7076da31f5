"""Reads Defender's API recommendations and sends what changed: source, normalise, delta, sink, checkpoint."""
