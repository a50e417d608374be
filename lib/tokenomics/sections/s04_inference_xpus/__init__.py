"""How many xPUs serve a model: devices, latency, memory, layouts, value, what comes on top, and what was measured.

What is asked is a :class:`tokenomics.compute.inference.provision.Load`; tables put it to
:mod:`tokenomics.compute.inference.server` and to the bounds.
"""
