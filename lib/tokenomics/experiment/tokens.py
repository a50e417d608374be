"""Text to tokens and back, as the model's file defines them, and the chat frame around a question."""

from functools import cache
from typing import Any

from tokenomics.experiment import packages

USER, END, ASSISTANT = "<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n"
STOP = "<|im_end|>"


@cache
def tokenizer() -> Any:
    """Byte-level BPE from the vocabulary and merges in the GGUF file; single digits are tokens of their own."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = GGUFReader(packages.file(packages.SMOLLM2)).fields
    words, kinds = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    made = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(
        [AddedToken(w, special=True, normalized=False) for w, k in zip(words, kinds, strict=True) if k == 3]
    )
    return made


def encode(text: str) -> list[int]:
    """Token numbers of a text; special tokens written out in it are recognised."""
    return tokenizer().encode(text, add_special_tokens=False).ids


def decode(tokens: list[int]) -> str:
    """The text of token numbers, special tokens left out."""
    return tokenizer().decode(tokens, skip_special_tokens=True)
