"""Why a node is out of service or not well, in words, and what may be done next. Pure: no file, no clock of its own."""
