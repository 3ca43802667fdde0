"""The steps of the ledger from one schema to the next."""
