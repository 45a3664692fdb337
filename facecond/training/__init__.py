"""The training loop and its parts: what a learner promises, averaged weights, state, tracking, several processes."""
