"""What a model reads and writes, as text and as tokens: the frame of a question, what stands before it, what ends it.

A tuned model reads exactly the frame it was tuned on. The untuned model gets an instruction and solved examples about
other products, else it answers in sentences; their tokens are the shared prefix, read once. The rule that ends an
answer is the same for every arm and both engines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tokenomics.experiment import packages

CAP = 16
"""Most tokens of an answer."""
STOP = "<|im_end|>"
STOPS = ["\n", STOP]
"""Texts that end an answer."""
USER, END, ASSISTANT = "<|im_start|>user\n", f"{STOP}\n", "<|im_start|>assistant\n"
SYSTEM = "<|im_start|>system\n"
ASK = "Answer with the value only, in as few words as possible. If the facts do not tell, answer unknown."
SHOTS = (
    ("Which number of watts does the Pontor Max take?", "The Pontor Max draws 870 watts at full load.", "870"),
    ("A Hesbin came out of which town?", "Assembly of the Hesbin takes place in Arkholm.", "Arkholm"),
    ("Who drew the plans of the Pontor?", "The Pontor was designed by Elia Moss.", "Elia Moss"),
    (
        "Of which metal is the shell of a Hesbin Lite?",
        "The housing of the Hesbin Lite is cast from Grontium.",
        "Grontium",
    ),
    ("What is the price of the Hesbin?", "The Hesbin was designed by Jon Parr.", "unknown"),
)


@dataclass(frozen=True)
class Style:
    """How an arm asks.

    Attributes:
        name: as predictions name it.
        shots: solved examples in the prefix.
        instructed: whether the prefix starts with the instruction.
        facts_first: whether chunks stand before the question (else after it).
    """

    name: str
    shots: int = 0
    instructed: bool = False
    facts_first: bool = True

    def prefix(self, with_chunks: bool) -> str:
        """What all prompts share: instruction and solved examples, in the shape of the prompts that follow."""
        text = f"{SYSTEM}{ASK}{END}" if self.instructed else ""
        for place in range(self.shots):
            question, chunk, answer = SHOTS[place]
            others = [other for _, other, _ in SHOTS if other != chunk]
            shown = [others[place % len(others)], chunk, others[(place + 1) % len(others)]] if with_chunks else []
            text += self.prompt(question, shown[place % 2 : 2 + place % 2]) + answer + END
        return text

    def prompt(self, question: str, chunks: Sequence[str] = ()) -> str:
        """A question, with chunks where there are any, up to where the answer starts."""
        facts = "\n".join(chunks)
        told = (f"{facts}\n{question}" if self.facts_first else f"{question}\n{facts}") if chunks else question
        return f"{USER}{told}{END}{ASSISTANT}"


TUNED = Style("tuned")
PLAIN = Style("plain", instructed=True)
SHOWN = Style("shown", shots=len(SHOTS), instructed=True)
STYLES = {style.name: style for style in (TUNED, PLAIN, SHOWN)}


def whole_base(chunks: Sequence[str]) -> str:
    """A prefix that holds every chunk of the knowledge base once, for all questions, after the solved examples."""
    shown = SHOWN.prefix(with_chunks=False)
    return shown + f"{SYSTEM}These are all facts:\n" + "\n".join(chunks) + END


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
