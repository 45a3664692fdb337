// Latents to what the first stage decodes, and what it decodes to bytes: facecond/autoencoder/quantise.py and to_pictures.

const f32 = Math.fround;

/**
 * Latents (channels, cells) with each cell moved to its nearest code; `codebook` holds codes one after another.
 * Distances are taken in double precision, equal ones give the first code: nearest_codes.
 */
export function quantised(latents, codebook, channels) {
  const cells = latents.length / channels;
  const out = new Float32Array(latents.length);
  for (let cell = 0; cell < cells; cell++) {
    let best = 0;
    let least = Infinity;
    for (let start = 0; start < codebook.length; start += channels) {
      let square = 0;
      for (let c = 0; c < channels && square < least; c++) {
        const apart = latents[c * cells + cell] - codebook[start + c];
        square += apart * apart;
      }
      if (square < least) [least, best] = [square, start];
    }
    for (let c = 0; c < channels; c++) {
      const value = latents[c * cells + cell];
      out[c * cells + cell] = value + f32(codebook[best + c] - value); // as the straight-through estimator rounds
    }
  }
  return out;
}

/** Latents of a diffusion model -> those of its data: LatentScale.restore. */
export function restored(z, { mean, std }) {
  const cells = z.length / mean.length;
  return z.map((value, i) => f32(value * std[Math.floor(i / cells)]) + mean[Math.floor(i / cells)]);
}

/** Pictures of about [-1, 1], (3, pixels), to RGBA bytes: to_pictures, which rounds halves to even. */
export function toPixels(image) {
  const pixels = image.length / 3;
  const bytes = new Uint8ClampedArray(4 * pixels).fill(255);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels; i++) {
      // Storing into a clamped array rounds halves to even and keeps 0 to 255.
      bytes[4 * i + c] = f32(f32(image[c * pixels + i] + 1) * 127.5);
    }
  }
  return bytes;
}

/** Whether every number is finite. */
export const isFinite = (values) => values.every((value) => Number.isFinite(value));
