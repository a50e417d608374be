"""What comes on top of plain serving: drafted tokens, adapters, images. Nothing here is validated by a measurement."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from tokenomics.compute.inference.adapters import Adapted, Adapters
from tokenomics.compute.inference.server import Server
from tokenomics.compute.inference.speculation import Speculative, layer_share
from tokenomics.compute.inference.vision import Sighted, encoder
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts.models import Model
from tokenomics.sections.s04_inference_xpus.load import Load, ask
from tokenomics.sections.s04_inference_xpus.tables import MILLI, ends

OWN_LAYER = "a layer of its own"


def drafter(load: Load, it: Server, model: Model) -> Server:
    """A draft model beside a server: cut over as many of its devices as make the load's step shortest."""
    most = it.on.layout.tp
    cuts = [tp for tp in (2**each for each in range(most.bit_length())) if tp <= most and model.heads % tp == 0]
    found = [ask(load, model, it.on.device, Layout(tp=tp)) for tp in cuts]
    return min(found, key=lambda each: (float(each.tpot(load.batch, load.middle).value), each.devices))


def drafted(
    load: Load, it: Server, draft: Server, acceptances: Iterable[float], batches: Sequence[float]
) -> pd.DataFrame:
    """How much sooner a token comes by drafting, by batch and acceptance, at the best number of drafted tokens (one at
    least): with a draft model, and with one layer of the model's own. Batches that do not fit beside the draft are left
    out.

    Raises:
        DataError: not even a single sequence fits beside the draft model.
    """
    rows = []
    if Speculative(it, 0.0, draft).capacity(load.context) < 1:
        raise DataError("serving", "draft_model", draft.on.model.name, f"one that fits beside {it.on.model.name}")
    for acceptance in acceptances:
        ways = {draft.on.model.name: Speculative(it, acceptance, draft)}
        ways[OWN_LAYER] = Speculative(it, acceptance, share=layer_share(it.on.model))
        for name, way in ways.items():
            at = np.asarray(batches, dtype=float)
            at = at[at <= way.capacity(load.context)]
            length = way.best_length(at, load.middle)
            gain = way.speed_up(at, load.middle, length)
            part = pd.DataFrame({"panel": name, "acceptance": acceptance, "batch": at, "drafted": length})
            rows.append(part.assign(**ends(gain)))
    return pd.concat(rows, ignore_index=True)


def adapted(load: Load, it: Server, rank: int, counts: Iterable[int]) -> pd.DataFrame:
    """Milliseconds of a token of the load by the number of adapters; as many of them as fit beside its caches stay
    on the devices, the others are fetched when a request needs them.

    Raises:
        DataError: not even one adapter fits.
    """
    room, rows = float(Adapted(it, Adapters(1, rank)).room(load.batch, load.context)), []
    if room < 1:
        raise DataError("serving", "adapter_rank", rank, "a rank whose adapter fits beside the caches of the load")
    for count in counts:
        kept = int(min(count, room))
        some = Adapted(it, Adapters(int(count), rank, resident=kept))
        row = {"count": float(count), "kept": float(kept), "distinct": float(some.adapters.distinct(load.batch))}
        rows.append(row | ends(some.tpot(load.batch, load.middle, load.output), MILLI))
    return pd.DataFrame(rows)


def sighted(load: Load, it: Server, encoders: Iterable[str], side: int, counts: Sequence[int]) -> pd.DataFrame:
    """Milliseconds to the first token of a lone prompt with images of ``side`` by ``side`` pixels, by their number, as
    several families of models take them."""
    rows, images = [], np.asarray(counts, dtype=float)
    for name in encoders:
        seen = Sighted(it, encoder(name))
        part = pd.DataFrame({"series": name, "count": images, "tokens": seen.prompt(0, images, side, side)})
        part["encode"] = MILLI * seen.encode_seconds(images, side, side)
        rows.append(part.assign(**ends(seen.ttft(load.prompt, images, side, side), MILLI)))
    return pd.concat(rows, ignore_index=True)
