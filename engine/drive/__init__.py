"""What acts on a performance between the tracker and the renderer."""
