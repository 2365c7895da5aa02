"""Who agreed that this face may be puppeteered."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["self", "synthetic", "public-domain", "agreement"]


class Consent(BaseModel):
    """The record that every puppet carries; without it a puppet is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    who: str = Field(min_length=1, description="whose face it is; for a synthetic one, who made it")
    date: dt.date = Field(description="day of the agreement or of the making")
    scope: str = Field(min_length=1, description="what the face may be used for")
    agreement: str | None = Field(default=None, description="name of the agreement's file, for kind 'agreement'")

    @model_validator(mode="after")
    def _agreement_is_named(self) -> Consent:
        if self.kind == "agreement" and not self.agreement:
            raise ValueError("kind 'agreement' needs the name of the agreement's file in 'agreement'")
        return self
