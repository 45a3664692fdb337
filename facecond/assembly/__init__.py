"""From configurations to objects: the one layer that joins networks, conditions, data, samplers and judges."""
