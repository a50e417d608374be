"""What a token takes: counts of parameters, FLOP and bytes, and the time an accelerator needs for them."""
