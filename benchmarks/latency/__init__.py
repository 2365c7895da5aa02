"""Frame age measured from the picture: a camera that paints number and time, an output that reads them back."""
