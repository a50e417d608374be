"""Parameters of notebook ``08_validation``: type, bounds, default, unit and meaning."""

from typing import ClassVar

from pydantic import Field

from tokenomics.parameters.types import Common


class Parameters(Common):
    """How far off are all these numbers, and compared with other tools?"""

    notebook: ClassVar[str] = "08_validation"

    least_rows: int = Field(30, ge=5, le=1000, description="[1] fewest rows of a group that is shown")
    band: float = Field(0.1, gt=0, le=1, description="[1] relative error that counts as near")
    far_factor: float = Field(2.0, gt=1, le=100, description="[1] a row off by more than this factor gets a reason")
    drawn_rows: int = Field(600, ge=10, le=5000, description="[1] most rows drawn of each source and quantity")
    worst_rows: int = Field(10, ge=1, le=100, description="[1] rows in the table of the largest errors")
