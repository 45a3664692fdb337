"""The diffusion process: schedule, weighting, loss, guidance, samplers. No network and no condition is known here."""
