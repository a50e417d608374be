"""``tokenomics score``: errors of predictions on a user's own measurements, by group, with a parity plot."""
