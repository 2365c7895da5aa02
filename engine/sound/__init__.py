"""Sound in, mouth out: what drives the lips when no face is seen."""
