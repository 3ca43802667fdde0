"""Workers: processes on other machines that ask the nodes of a network for the agent."""
