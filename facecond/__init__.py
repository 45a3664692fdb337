"""facecond: latent diffusion of faces conditioned on attributes and semantic masks (arXiv 2306.00914)."""

__version__ = "0.1.0"
