"""`bofhbot`: the round from a terminal, a pipe or a script, over HTTP and by nothing else of botd's."""
