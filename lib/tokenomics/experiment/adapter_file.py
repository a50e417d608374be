"""Adapters as the file that llama.cpp loads beside the model, so that the model keeps its 4-bit weights."""

from pathlib import Path

RANK_KEY = "adapter.lora.alpha"


def write(source: Path, target: Path) -> None:
    """Rewrite committed adapters (safetensors, scale in B) as a GGUF adapter file.

    Args:
        source: tensors named ``WEIGHT.a`` (r, inputs) and ``WEIGHT.b`` (outputs, r).
        target: the file to write.
    """
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    tensors = load_file(source)
    rank = next(tensor.shape[0] for name, tensor in tensors.items() if name.endswith(".a"))
    writer = GGUFWriter(target, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32(RANK_KEY, float(rank))
    for name in sorted(tensors):
        weight, side = name.rsplit(".", 1)
        writer.add_tensor(f"{weight}.weight.lora_{side}", tensors[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
