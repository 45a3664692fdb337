"""What one training step of each kind of model is: the diffusion model, the first stage, the two judges."""
