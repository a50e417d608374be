"""A model served on devices: steps, engines, memory, layouts, intervals, and what comes on top."""
