"""What the databases of botd share: transactions, faults in words, damage, migrations."""
