"""Who agreed that this face may be puppeteered, to what, and until when."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import ConsentError
from engine.files import hash_of_file
from engine.names import ModeName

Kind = Literal["self", "synthetic", "public-domain", "agreement"]
Outlet = Literal["live", "recording"]
Use = ModeName | Outlet
MODES: Final = get_args(ModeName)
OUTLETS: Final = get_args(Outlet)
WITHOUT_BADGE: Final = ("self", "synthetic", "public-domain")  # kinds whose badge may be taken off


class Consent(BaseModel):
    """The record that every puppet carries; without it a puppet is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    who: str = Field(min_length=1, description="whose face it is; for a synthetic one, who made it")
    date: dt.date = Field(description="day of the agreement or of the making")
    scope: str = Field(min_length=1, description="what the face may be used for, in the words that were agreed")
    modes: tuple[ModeName, ...] = Field(default=MODES, description="in which it may be used")
    outlets: tuple[Outlet, ...] = Field(default=OUTLETS, description="live pictures, recordings, or both")
    expires: dt.date | None = Field(default=None, description="last day on which it may be used")
    agreement: str | None = Field(default=None, description="name of the agreement's file, for kind 'agreement'")
    agreement_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="hash of that file")

    @model_validator(mode="after")
    def _agreement_is_named(self) -> Consent:
        if self.kind == "agreement" and not (self.agreement and self.agreement_sha256):
            raise ValueError(
                "kind 'agreement' needs the name of the agreement's file in 'agreement' and its hash in 'agreement_sha256'"
            )
        if self.expires is not None and self.expires < self.date:
            raise ValueError("'expires' lies before 'date'")
        return self

    def require_valid(self, today: dt.date) -> None:
        """ConsentError where the record's time is over, or has not begun."""
        if self.expires is not None and today > self.expires:
            raise ConsentError(
                wanted=f"consent of {self.who} for today",
                found=f"it ended on {self.expires}",
                advice="Ask them again, and make the puppet anew with the new agreement.",
            )
        if self.date > today + dt.timedelta(days=1):  # a day, since the maker may live further east
            raise ConsentError(
                wanted=f"consent of {self.who} for today",
                found=f"it begins on {self.date}",
                advice="Wait until then; or set this machine's clock right.",
            )

    def require_use(self, mode: ModeName, outlets: set[Outlet]) -> None:
        """ConsentError where it was not agreed to a mode, or to live pictures or recordings."""
        refused = [use for use in (mode, *sorted(outlets)) if use not in (*self.modes, *self.outlets)]
        if refused:
            raise ConsentError(
                wanted=f"consent of {self.who} to '{refused[0]}'",
                found=f"it is for {', '.join((*self.modes, *self.outlets))}: {self.scope}",
                advice="Use the puppet as was agreed, or ask for more and make it anew.",
            )

    def require_badge_may_go(self) -> None:
        """ConsentError for a face whose pictures must say what they are."""
        if self.kind not in WITHOUT_BADGE:
            raise ConsentError(
                wanted="pictures without the badge",
                found=f"a puppet of {self.who}, a named person",
                advice=f"The badge stays on; it may be off for kinds {', '.join(WITHOUT_BADGE)}.",
            )

    def is_of(self, agreement: Path) -> bool:
        """The file is the agreement that the record names. OSError where it can't be read."""
        return hash_of_file(agreement) == self.agreement_sha256
