"""Scripts of words `STATE*COUNT`, by which cameras and stages misbehave as written."""

from __future__ import annotations

from collections.abc import Collection

from engine.errors import ConfigError


def parse_script(script: str, states: Collection[str]) -> list[tuple[str, int]]:
    """(state, count) for each word. ConfigError for a word that isn't understood."""
    steps = []
    for word in script.split():
        state, _, count = word.partition("*")
        if state not in states or not (count or "1").isdigit():
            raise ConfigError(
                wanted="a script of words STATE*COUNT",
                found=f"'{word}'",
                advice=f"STATE is one of {', '.join(states)}.",
            )
        steps.append((state, int(count or 1)))
    return steps


def states_of(script: str, states: Collection[str]) -> list[str]:
    """One state for each step of the script."""
    return [state for state, count in parse_script(script, states) for _ in range(count)]
