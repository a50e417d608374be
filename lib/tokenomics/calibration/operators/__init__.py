"""Fits the parameters of :mod:`tokenomics.compute.operators.times` to published tables of measured operators.

Run ``python -m tokenomics.calibration.operators`` with the extra ``calibration`` installed; in ``data/calibration`` it
reads ``systems.csv``, which names the accelerators that were measured, and rewrites ``operators.csv``, ``errors.csv``,
``transfer.csv`` and ``engine_spread.csv``. Nothing else imports this package.

Method. Source: the PyPI package ``aiconfigurator-core`` (Apache-2.0), whose tables hold the seconds of single
operators on ten accelerators with three engines. Of each engine the newest version is used whose table is complete,
that is, at least half as long as its longest. Each accelerator, operator, data type, engine and kernel gets its own
small set of bounded parameters (:mod:`.fitting`), found by robust least squares on log residuals over a seeded sample
of rows. Three folds of whole groups of shapes (the same n and k, the same heads) give the error on shapes not seen and
the quantiles that become intervals. Then every accelerator is left out in turn and predicted with its nearest
relative's parameters. End-to-end measurements are not used here: they stay unseen for validation.

Left out: shapes that language models do not have (n or k below 256), head dimensions above 256, more than 32 query
heads a key head in decoding, experts without a gate, routing with exponent 1.01, all-reduce launched from the host,
tables of whole modules (latent attention of vLLM, sparse attention), NCCL and all-to-all.
"""
