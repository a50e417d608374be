"""What comes on top of plain serving: drafted tokens, adapters, images. Nothing here is validated by a measurement."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute.inference.adapters import Adapted, Adapters
from tokenomics.compute.inference.provision import Load, ask
from tokenomics.compute.inference.server import Server
from tokenomics.compute.inference.speculation import Speculative, layer_share
from tokenomics.compute.inference.vision import Sighted, encoder
from tokenomics.compute.layout import Layout
from tokenomics.facts.models import Model
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell, extreme
from tokenomics.sections.s04_inference_xpus.tables import MILLI

OWN_LAYER = "a layer of its own"
GAIN_COLUMNS = ["panel", "acceptance_share", "batch", "drafted_tok", "gain_ratio", "gain_low_ratio", "gain_high_ratio"]
ADAPTER_COLUMNS = ["adapters", "kept_adapters", "distinct_adapters", "tpot_ms", "tpot_low_ms", "tpot_high_ms"]


def draft_server(load: Load, it: Server, model: Model) -> Server:
    """A draft model beside a server, split over as many of its devices as make the step of the load shortest; over as
    many as its heads allow where it fits on none of them, which leaves no room for any sequence."""
    most = it.on.layout.tp
    cuts = [tp for tp in (2**each for each in range(most.bit_length())) if tp <= most and model.heads % tp == 0]
    servers = [ask(load, model, it.on.device, Layout(tp=tp)) for tp in cuts]
    held = [each for each in servers if each.capacity(load.middle) >= load.batch]
    if not held:
        return servers[-1]
    return min(held, key=lambda each: (float(each.tpot(load.batch, load.middle).value), each.devices))


def drafting_gains(
    load: Load, it: Server, draft: Server, acceptances: Iterable[float], batches: Sequence[float]
) -> pd.DataFrame:
    """Speed-up by drafting at the best number of drafted tokens (at least one), by batch and acceptance: with a draft
    model, and with one layer of the model's own. Batches that do not fit beside the draft model are left out."""
    rows = []
    for acceptance in acceptances:
        options = {draft.on.model.name: Speculative(it, acceptance, draft)}
        options[OWN_LAYER] = Speculative(it, acceptance, share=layer_share(it.on.model))
        for name, option in options.items():
            at = np.asarray(batches, dtype=float)
            at = at[at <= option.capacity(load.context)]
            if not at.size:
                continue
            length = option.best_length(at, load.middle)
            gain = option.speed_up(at, load.middle, length)
            part = pd.DataFrame({"panel": name, "acceptance_share": acceptance, "batch": at, "drafted_tok": length})
            rows.append(part.assign(**units.columns("gain_ratio", gain)))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=GAIN_COLUMNS)


def adapter_times(load: Load, it: Server, rank: int, counts: Iterable[int]) -> pd.DataFrame:
    """Milliseconds a token of the load by the number of adapters. As many as fit beside the caches stay on the devices;
    the others are fetched when a request needs them; without rows where not even one fits."""
    room, rows = float(Adapted(it, Adapters(1, rank)).room(load.batch, load.context)), []
    for count in counts if room >= 1 else ():
        kept = int(min(count, room))
        adapted = Adapted(it, Adapters(int(count), rank, resident=kept))
        row = {
            "adapters": float(count),
            "kept_adapters": float(kept),
            "distinct_adapters": float(adapted.adapters.distinct(load.batch)),
        }
        rows.append(row | units.columns("tpot_ms", adapted.tpot(load.batch, load.middle, load.output), MILLI))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=ADAPTER_COLUMNS, dtype=float)


def image_times(load: Load, it: Server, encoders: Iterable[str], side: int, counts: Sequence[int]) -> pd.DataFrame:
    """Milliseconds to the first token of a lone prompt with images of ``side`` by ``side`` pixels, by their number,
    with the vision encoder of several families of models; empty beyond memory or the model's context."""
    rows, images = [], np.asarray(counts, dtype=float)
    for name in encoders:
        sighted = Sighted(it, encoder(name))
        part = pd.DataFrame({"encoder": name, "images": images, "image_tok": sighted.prompt(0, images, side, side)})
        part["encode_ms"] = MILLI * sighted.encode_seconds(images, side, side)
        fits = it.room(sighted.prompt(load.prompt, images, side, side))
        ttft = sighted.ttft(load.prompt, images, side, side).map(lambda s, fits=fits: np.where(fits, s, np.nan))
        rows.append(part.assign(**units.columns("ttft_ms", ttft, MILLI)))
    return pd.concat(rows, ignore_index=True)


def adapters_and_images(adapters: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`adapter_times`, then those of :func:`image_times`: the data of one figure."""
    return pd.concat([adapters, images])


def drafting_metrics(gains: pd.DataFrame, own: Server, draft: str, acceptance: float) -> dict[str, Metric]:
    """Speed-up by the draft model for one sequence and at the largest batch, at one acceptance."""
    chosen = gains[(gains["panel"] == draft) & (gains["acceptance_share"] == acceptance)].sort_values("batch")
    largest, beside = chosen["batch"].max(), f"{draft} does not fit beside {own.on.model.name}"
    metrics = {
        "draft_batch": Metric(largest, "1", "largest batch with drafts", reason=beside),
        "draft_model": Metric(draft, "text", "draft model"),
        "draft_acceptance": Metric(acceptance, "1", "share of drafted tokens accepted, middle parameter"),
        "draft_share": Metric(layer_share(own.on.model), "1", "time of a drafting layer over a step of the own model"),
    }
    by_batch = chosen.set_index("batch")
    for key, batch in (("alone", chosen["batch"].min()), ("batch", largest)):
        meaning = f"gain by drafting at batch {batch:.0f}, acceptance {acceptance:g}"
        row = by_batch.loc[batch] if len(by_batch) else extreme(by_batch, "gain_ratio")
        metrics[f"draft_gain_{key}"] = replace(cell(row, "gain_ratio", meaning), reason=beside)
    return metrics


def adapter_and_image_metrics(adapters: pd.DataFrame, images: pd.DataFrame, plain_tpot_ms: float) -> dict[str, Metric]:
    """Milliseconds that one and many adapters add to a step while none is fetched, and the tokens of one image."""
    unfetched = adapters[adapters["kept_adapters"] == adapters["adapters"]].set_index("adapters")["tpot_ms"]
    added_ms, none = unfetched - plain_tpot_ms, "no adapter of this rank fits beside the caches"
    metrics = {
        "adapter_count": Metric(adapters["adapters"].max(), "1", "largest number of adapters", reason=none),
        "adapter_kept": Metric(
            adapters["kept_adapters"].max(), "1", "largest number that fits beside the caches", reason=none
        ),
    }
    for key, count in (("small", added_ms.index.min()), ("many", added_ms.index.max())):
        meaning = f"time that adapters add to a step, none fetched, {key}"
        metrics[f"adapter_{key}_ms"] = Metric(added_ms.get(count), "ms", meaning, reason=none)
    for name, tokens in images[images["images"] == 1].set_index("encoder")["image_tok"].items():
        metrics[f"image_tokens_{name.split('-')[0].lower()}"] = Metric(tokens, "tok", f"an image, {name}")
    return metrics
