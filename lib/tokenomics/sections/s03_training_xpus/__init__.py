"""How many xPUs it takes to train or tune a model: lower bounds, and what share of them runs reach."""
