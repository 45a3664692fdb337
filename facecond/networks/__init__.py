"""The denoising U-Net; it sees a sequence of tokens and knows no condition by name."""
