"""How attention reads memory: the contract, the reference, and what is faster on a GPU."""
