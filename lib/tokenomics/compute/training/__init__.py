"""A model trained or tuned on devices."""
