"""The engines: which processes a cloud consists of, how they start, and who keeps them running."""
