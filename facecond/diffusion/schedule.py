"""The forward process: betas, alphas_cumprod, signal-to-noise ratio (DDPM, equations 2-4; latent diffusion's betas).

Everything is computed in float64 on the CPU. What a network step needs is handed out in the precision and on the device
of the latents.
"""

import torch
from torch import Tensor

from facecond.config.diffusion import ScheduleConfig, ScheduleShape
from facecond.errors import ConfigError


class Schedule:
    """Noise levels of the training timesteps 0..T-1.

    `betas`, `alphas_cumprod` and `snr` are float64 (T,) on the CPU; latents at timestep t are
    sqrt(abar_t) z_0 + sqrt(1 - abar_t) noise, with abar = `alphas_cumprod` and SNR = abar / (1 - abar).
    """

    betas: Tensor
    alphas_cumprod: Tensor
    snr: Tensor

    def __init__(self, config: ScheduleConfig | None = None) -> None:
        config = config or ScheduleConfig()
        if config.beta_end < config.beta_start:
            raise ConfigError(
                f"schedule.beta_end={config.beta_end:g} is below schedule.beta_start={config.beta_start:g}",
                hint="noise has to grow with the timestep",
            )
        self.config = config
        self.betas = _BETAS[config.shape](config)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)
        self.snr = self.alphas_cumprod / (1 - self.alphas_cumprod)
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def timesteps(self) -> int:
        """Number of training timesteps T."""
        return self.config.timesteps

    def add_noise(self, z0_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        """Return sqrt(abar_t) z_0 + sqrt(1 - abar_t) noise for int64 timesteps `t_B` (DDPM, equation 4)."""
        signal_T, sigma_T, _ = self._on(z0_BCHW.device, z0_BCHW.dtype)
        return signal_T[t_B, None, None, None] * z0_BCHW + sigma_T[t_B, None, None, None] * noise_BCHW

    def snr_at(self, t_B: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the signal-to-noise ratio (B,) at int64 timesteps `t_B`, on their device."""
        return self._on(t_B.device, dtype)[2][t_B]

    def _on(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """sqrt(abar), sqrt(1 - abar) and SNR, (T,) each, rounded once from float64 and kept on the device."""
        if (device, dtype) not in self._tables:
            exact = (self.alphas_cumprod.sqrt(), (1 - self.alphas_cumprod).sqrt(), self.snr)
            signal_T, sigma_T, snr_T = (table.to(dtype).to(device) for table in exact)
            self._tables[device, dtype] = signal_T, sigma_T, snr_T
        return self._tables[device, dtype]


def _linear_sqrt(config: ScheduleConfig) -> Tensor:
    """Betas of latent diffusion: linspace(sqrt(start), sqrt(end), T)^2, float64 (T,)."""
    return torch.linspace(config.beta_start**0.5, config.beta_end**0.5, config.timesteps, dtype=torch.float64) ** 2


def _linear(config: ScheduleConfig) -> Tensor:
    """Betas of DDPM: linspace(start, end, T), float64 (T,)."""
    return torch.linspace(config.beta_start, config.beta_end, config.timesteps, dtype=torch.float64)


_BETAS = {ScheduleShape.linear_sqrt: _linear_sqrt, ScheduleShape.linear: _linear}
