"""What an ssh_config says of a name: its lines, the words in them, the stanzas that count, and the answer."""
