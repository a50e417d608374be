"""A number with its interval."""

from tokenomics.compute.inference.server import Estimate

__all__ = ["Estimate"]
