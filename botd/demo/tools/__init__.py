"""What the stand-ins print: each tool takes the state and its arguments and gives back what to print."""
