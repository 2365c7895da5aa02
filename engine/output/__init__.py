"""Where pictures go: one file a sink."""
