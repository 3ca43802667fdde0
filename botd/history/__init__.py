"""What happened: the changes of a node, its incidents, and the bands that a plot draws of them."""
