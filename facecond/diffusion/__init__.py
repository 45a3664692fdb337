"""The diffusion process: schedules, predictions, weighting, loss, guidance, samplers. No network and no condition is known here."""
