"""Foreign checkpoints to our state dicts and back; nothing of them is ever executed."""
