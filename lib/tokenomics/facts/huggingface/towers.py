"""The vision tower that a multimodal configuration puts before its text model."""

from collections.abc import Mapping

from tokenomics.facts.huggingface.config import Config

SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "patch_size")
PLAIN, GATED = ("siglip_vision_model", "clip_vision_model"), ("pixtral",)
COLOURS = 3


def tower_parameters(config: Config) -> float | None:
    """Parameters of a SigLIP, CLIP or Pixtral tower; ``None`` for another, or where its sizes are not all stated.

    Per layer four projections and an MLP of two matrices with biases and two norms with biases (Pixtral: three
    matrices, no biases), and the embedding of patches and their positions. Left out: the projector to the text model,
    a pooling head, which engines do not load.
    """
    vision = config.get("vision_config")
    if not isinstance(vision, Mapping) or vision.get("model_type") not in PLAIN + GATED:
        return None
    sizes = [vision.get(key) for key in SIZES]
    if not all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in sizes):
        return None
    width, inner, layers, patch = sizes
    embedding = COLOURS * patch**2 * width
    if vision["model_type"] in GATED:
        return float(layers * (4 * width**2 + 3 * width * inner + 2 * width) + embedding + width)
    side = vision.get("image_size")
    positions = (side // patch) ** 2 if isinstance(side, int) and side >= patch else 0
    layer = 4 * (width**2 + width) + 2 * width * inner + inner + width + 4 * width
    return float(layers * layer + embedding + positions * width + 3 * width)
