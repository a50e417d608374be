"""Results of InferenceX (InferenceMAX): the aggregate that its workflow writes, and the rows that its service gives.

Keys as in SemiAnalysisAI/InferenceX ``utils/process_result.py`` and InferenceX-app's benchmark rows: times in seconds.
Three traps. Lengths are nominal: prompts and outputs are drawn between 0.8 and 1.0 of them, so their mean is 0.9. The
number of devices of a row that is not disaggregated is given as tp x ep, although the experts lie on the same devices:
it is tp. TensorRT-LLM's inter-token latency is per chunk of several tokens and is left out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import APART, Run, day, first, model_name, nested, number, with_version

TIME = re.compile(r"(mean|median|p\d+)_(ttft|tpot|itl|e2el)")
QUANTITIES = {"e2el": "e2e_latency"}
MEAN_OF_NOMINAL = 0.9
ENGINES = {"trt": "TensorRT-LLM", "sglang": "SGLang", "vllm": "vLLM", "atom": "ATOM"}
"""Engines by a part of ``framework``, which may name a layer above them too ("dynamo-trt")."""


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a result."""
    return {"conc", "framework", "precision"} <= document.keys() and bool({"hw", "hardware"} & document.keys())


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each JSON object."""
    for document in documents:
        run, metrics = Run(), nested(document.get("metrics")) or document
        framework = str(document["framework"]).casefold()
        engine = next((name for part, name in ENGINES.items() if part in framework), document["framework"])
        version = re.search(r":v?(\d+(?:\.\w+)+)", str(document.get("image") or ""))
        spec = first(document, "spec_decoding", "spec_method")
        run.state(
            model=model_name(first(document, "model", "infmax_model_prefix")),
            hardware=str(first(document, "hw", "hardware")).split("-")[0],
            precision=document["precision"],
            isl=_mean_length(document.get("isl")),
            osl=_mean_length(document.get("osl")),
            spec_method=spec,
            date=day(document.get("date")),
            **with_version(engine, version and version[1]),
        )
        run.arrive(in_flight=document["conc"])
        output_devices = _layout(run, document)
        for key, value in metrics.items():
            part = TIME.fullmatch(key)
            if part and not (part[2] == "itl" and engine == "TensorRT-LLM"):
                run.add_statistics(QUANTITIES.get(part[2], part[2]), {part[1]: value}, "s")
        run.add("total_throughput_in_plus_out", metrics.get("tput_per_gpu"), "tok/s/GPU")
        output = number(metrics.get("output_tput_per_gpu"))
        if output and output_devices:
            run.add("output_throughput_total", output * output_devices, "tok/s")
        yield run


def _mean_length(nominal: Any) -> float | None:
    length = number(nominal)
    return length and MEAN_OF_NOMINAL * length


def _layout(run: Run, document: Mapping[str, Any]) -> float | None:
    """State the layout; the devices over which the output's rate was divided."""
    apart = _true(document.get("disagg"))
    tp, ep, attention = (
        first(document, name, f"decode_{name}") if not apart else document.get(f"decode_{name}")
        for name in ("tp", "ep", "dp_attention")
    )
    tp, ep, pp = number(tp), number(ep), number(first(document, "pp", "decode_pp")) or 1
    attention = _true(attention)
    run.state(ep=ep, dp_attention="true" if attention else None, pp=pp)
    run.state(tp=1 if attention else tp, dp=tp if attention else None)
    if not apart:
        run.state(n_gpu=tp and tp * pp)
        return tp and tp * pp
    prefill, decode = number(document.get("num_prefill_gpu")), number(document.get("num_decode_gpu"))
    if prefill and decode:
        run.state(n_gpu=prefill + decode, note=f"{APART}: {prefill:g} + {decode:g}")
    return decode


def _true(value: Any) -> bool:
    return str(value).casefold() == "true"
