"""How fast size, training compute, context, speed and token prices have moved."""
