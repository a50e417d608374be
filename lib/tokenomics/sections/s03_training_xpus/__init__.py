"""How many xPUs it takes to train or tune a model."""
