"""Which measured kernel stands for each part of a deployment: precision and device to operator parameters.

A precision says how weights are stored and in what they are multiplied; which kernel that means depends on the device:
FP8 weights on a device without FP8 units are widened on the fly, MXFP4 experts are multiplied in FP8 on Blackwell and
in 16 bit on Hopper, tables and head stay in 16 bit.
"""

from dataclasses import dataclass, replace
from functools import cache

from tokenomics.compute.bounds import Precision
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.layout import HEAD, PROJECTION, ROUTER, Layout
from tokenomics.compute.operators.fitted import OperatorParameters, parameters
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import measured_kernels
from tokenomics.facts.models import Model

WIDE = "bf16"
MXFP4_GROUP = 32
NARROW, MOSTLY_WIDE = 8.0, 12.0
"""Mean bits of weights below which the kernel is one of 4 bits, and from which it is the one of 16."""
FEW_EXPERTS = 16
"""Up to here (Mixtral, Grok) FP8 checkpoints have one scale a matrix."""
DIRECT = 0.45
"""Share of a PCIe bus that all-reduce reaches where devices reach each other directly: RTX PRO 6000, three engines."""
PCIE_BYTES_PER_S = 32e9
"""A device whose vendor names no link talks over its host's bus: PCIe 4.0, 16 lanes, one way."""


@dataclass(frozen=True)
class Kernels:
    """Operator parameters of a deployment, and the device as its links are modelled."""

    device: Accelerator
    products: dict[str, OperatorParameters]
    decode_attention: OperatorParameters
    prefill_attention: OperatorParameters
    elementwise: OperatorParameters
    all_reduce: OperatorParameters
    all_to_all: OperatorParameters | None
    experts: OperatorParameters | None
    weight_bytes: float | None

    def all(self) -> list[OperatorParameters]:
        """Every parameter set, for intervals and provenance."""
        found = [*self.products.values(), self.decode_attention, self.prefill_attention, self.elementwise]
        return [*found, self.all_reduce, *(each for each in (self.all_to_all, self.experts) if each)]


def completed(device: Accelerator) -> Accelerator:
    """A device with what its vendor leaves out assumed: its host's bus as link, half the integer rate in 16 bit."""
    if not device.link_bytes_per_s:
        device = replace(device, link_bytes_per_s=PCIE_BYTES_PER_S)
    if not (device.peak_bf16_flop_per_s or device.peak_fp16_flop_per_s or device.peak_fp32_flop_per_s):
        narrow = device.peak_int8_op_per_s or device.peak_fp8_flop_per_s or device.peak_fp4_flop_per_s
        device = replace(device, peak_bf16_flop_per_s=narrow / 2)
    return device


def product_dtype(model: Model, precision: Precision, device: Accelerator) -> str:
    """Kernel of products with dense weights, a key of :data:`tokenomics.compute.operators.forms.PRECISIONS`.

    The mean bits of attention, MLPs and shared experts decide: where experts alone are narrow, most of these are wide.
    """
    return _kernel(precision.weights.dense_bits(model), model, precision, device)


def expert_dtype(model: Model, precision: Precision, device: Accelerator) -> str:
    """Kernel of routed experts; eight-bit experts without FP8 units run as 16-bit ones."""
    weights = precision.weights
    if precision.dtype == "fp4" and weights.group_size == MXFP4_GROUP:
        return "mxfp4_mxfp8" if device.peak_fp4_flop_per_s else "mxfp4_weight"
    found = _kernel(float(weights.bits), model, precision, device)
    return WIDE if found.startswith("int8") else found


def _kernel(bits: float, model: Model, precision: Precision, device: Accelerator) -> str:
    """Kernel of products with weights of so many bits; FP8 checkpoints with many experts are scaled by blocks
    (DeepSeek-V3 and after)."""
    dtype, stored = precision.dtype, f"int{4 if bits < NARROW else 8}_weight"
    if bits >= MOSTLY_WIDE:
        return WIDE
    if dtype == "fp4" and bits < NARROW:
        return "nvfp4" if device.peak_fp4_flop_per_s else stored
    if dtype in ("fp8", "fp4") and bits >= NARROW and device.peak_fp8_flop_per_s:
        return "fp8_block" if precision.weights.group_size or model.experts > FEW_EXPERTS else "fp8"
    return "int8" if (dtype, bits) == ("int8", 8) else stored


@cache
def kernels(on: Deployment) -> Kernels:
    """Parameters of every operator of a deployment; the nearest relative's where the device was not measured."""
    device = completed(on.device)
    dense, latent = product_dtype(on.model, on.precision, device), on.model.is_mla
    spread = on.model.is_moe and on.layout.dp > 1 and on.layout.ep > 1
    cache_dtype = "bf16_kv8" if on.precision.kv_bits <= 8 else WIDE

    def find(operator: str, dtype: str) -> OperatorParameters:
        return parameters(device, operator, dtype, on.kernels, left_out=on.left_out)

    wide = find("gemm", WIDE)
    product = find("gemm", dense)
    if dense != WIDE and on.fused:
        product = replace(product, floor_s=min(product.floor_s, wide.floor_s), extra_traffic=0.0, extra_floor_s=0.0)
    if dense.endswith("_weight") and product.relation != "own":
        product = wide  # the device's own 16-bit kernel with fewer bytes to read is nearer than another device's
    elementwise = measured_kernels().get(on.kernels) if on.kernels else None
    return Kernels(
        device=device,
        products={PROJECTION: product, ROUTER: wide, HEAD: wide},
        decode_attention=find(decode_operator(on.model, on.layout), cache_dtype),
        prefill_attention=find("prefill_mla" if latent else "prefill_attention", cache_dtype),
        elementwise=parameters(device, "elementwise", WIDE, elementwise, left_out=on.left_out),
        all_reduce=_bus(device, find("all_reduce", WIDE)),
        all_to_all=_bus(device, find("all_to_all", WIDE)) if spread else None,
        experts=find("expert_gemm", expert_dtype(on.model, on.precision, device)) if on.model.is_moe else None,
        weight_bytes=None if dense == WIDE else on.precision.weights.dense_bits(on.model) / 8,
    )


def decode_operator(model: Model, layout: Layout) -> str:
    """Kernel of decode attention: latent, grouped, or one key head a query head (also where key heads are copied)."""
    if model.is_mla:
        return "decode_mla"
    grouped = model.heads / layout.tp > max(model.kv_heads / layout.tp, 1.0)
    return "decode_attention" if grouped else "decode_attention_mha"


def _bus(device: Accelerator, given: OperatorParameters) -> OperatorParameters:
    """A collective over a host's bus: whether devices reach each other directly is a matter of the machine, not of the
    device (5 GB/s were measured for L40S, 27 GB/s for RTX PRO 6000), so the share of the bus is the better one's."""
    if device.link_devices or given.byte_efficiency >= DIRECT:
        return given
    return replace(given, byte_efficiency=DIRECT)
