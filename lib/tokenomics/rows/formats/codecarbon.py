"""Results of CodeCarbon: ``emissions.csv``, one row a run.

Columns as in mlco2/codecarbon ``codecarbon/output_methods/emissions_data.py``: kWh, kg of CO2 equivalents, W, s. The
file knows no model; the work done (``tokens_b``) is a column to be added by hand. The grid's intensity is emissions
over energy, as CodeCarbon multiplies them.

The energy is that of processor, memory and devices together. Left out: their shares; water.
"""

import re
from collections.abc import Iterable, Iterator

from tokenomics.rows.formats.content import Content, Table
from tokenomics.rows.formats.run import Run, day, number, per

DEVICES = re.compile(r"(?:(\d+)\s*x\s*)?(.+)")


def fits(table: Table) -> bool:
    """Whether a CSV table is one of emissions."""
    return {"emissions", "energy_consumed", "duration", "gpu_count"} <= table[0].keys()


def read(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """A run of each row."""
    for table in tables:
        for row in table:
            run = Run(kind="training", needs=("model", "hardware", "n_gpu"))
            named = DEVICES.fullmatch(row.get("gpu_model", "").strip())
            devices = number(row.get("gpu_count")) or (number(named[1]) if named else None)
            run.state(
                hardware=named and named[2],
                n_gpu=devices,
                pue=number(row.get("pue")),
                grid_kgco2_per_kwh=per(row["emissions"], row["energy_consumed"]),
                date=day(row.get("timestamp")),
                note=row.get("project_name"),
            )
            run.add("energy", row["energy_consumed"], "kWh")
            run.add("emissions", row["emissions"], "kgCO2e")
            run.add("average_power_per_gpu", per(row.get("gpu_power"), devices), "W")
            yield run
