"""``tokenomics score``: how far off predictions are on anybody's measurements, by group, with a parity plot."""
