// Seeds to noise, as facecond/rng.py and torch's CPU generator make it.
//
// A seed, the name of a stream and an index become 63 bits: the first eight bytes of a SHA-256 (FIPS 180-4). Their lower 32
// start a Mersenne twister (Matsumoto and Nishimura 1998, MT19937), whose numbers become uniform ones with 24 bits and these
// standard normal ones by Box and Muller (1958), sixteen at a time: eight radii, eight angles. torch evaluates logarithm and
// sines in float32; here they are evaluated in double precision and rounded, so that the last digits may differ.

const ROUND = new Uint32Array(64);
const START = new Uint32Array(8);

{
  // Fractional parts of cube roots and square roots of the first primes.
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  primes.forEach((p, i) => {
    ROUND[i] = Number(rootBits(BigInt(p), 3n));
    if (i < 8) START[i] = Number(rootBits(BigInt(p), 2n));
  });
}

/** The first 32 bits behind the binary point of the `degree`-th root of `n`, without rounding. */
function rootBits(n, degree) {
  const aim = n << (32n * degree);
  let low = 0n;
  let high = n << 32n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** degree <= aim) low = middle;
    else high = middle - 1n;
  }
  return low & 0xffffffffn;
}

/** SHA-256 of bytes (Uint8Array): Uint8Array of 32. `crypto.subtle` has it only on pages that came by https. */
export function sha256(bytes) {
  const length = bytes.length;
  const padded = new Uint8Array(((length + 72) >> 6) << 6);
  padded.set(bytes);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 0x20000000));
  view.setUint32(padded.length - 4, (length << 3) >>> 0);
  const state = START.slice();
  const words = new Uint32Array(64);
  const turn = (x, by) => (x >>> by) | (x << (32 - by));
  for (let start = 0; start < padded.length; start += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(start + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [x, y] = [words[i - 15], words[i - 2]];
      const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
      const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
      words[i] = words[i - 16] + s0 + words[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const one = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] += value));
  }
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  state.forEach((value, i) => out.setUint32(4 * i, value));
  return digest;
}

/** Bytes as hexadecimal digits. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** 63 well-mixed bits (BigInt) of a seed (number or BigInt), a stream's name and an index: `facecond.rng.mix`. */
export function mix(seed, stream, index = 0) {
  const digest = sha256(new TextEncoder().encode(`${BigInt(seed)}/${stream}/${index}`));
  return new DataView(digest.buffer).getBigUint64(0, true) >> 1n;
}

/** A Mersenne twister; `seed` is a BigInt, of which the lower 32 bits count, as in torch. */
export class Twister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.place = 624;
    let last = Number(BigInt.asUintN(32, seed));
    this.state[0] = last;
    for (let i = 1; i < 624; i++) {
      last = (Math.imul(1812433253, last ^ (last >>> 30)) + i) >>> 0;
      this.state[i] = last;
    }
  }

  /** The next 32 bits, as a number from 0. */
  next() {
    if (this.place === 624) this.#refill();
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #refill() {
    const s = this.state;
    for (let i = 0; i < 624; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
      s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }
}

/** `count` (16 or more) standard normal numbers of a seed (BigInt), Float32Array: `torch.randn(count, generator=...)`. */
export function randn(seed, count) {
  if (count < 16) throw new RangeError(`${count} numbers: torch draws fewer than 16 in another way`);
  const twister = new Twister(seed);
  const uniform = () => (twister.next() & 0xffffff) / 0x1000000;
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = uniform();
  for (let start = 0; start + 16 <= count; start += 16) toNormal(values, start);
  if (count % 16) {
    // The last sixteen are drawn anew where blocks of sixteen do not come out even.
    for (let i = count - 16; i < count; i++) values[i] = uniform();
    toNormal(values, count - 16);
  }
  return values;
}

function toNormal(values, start) {
  for (let i = start; i < start + 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - values[i]));
    const angle = 2 * Math.PI * values[i + 8];
    values[i] = radius * Math.cos(angle);
    values[i + 8] = radius * Math.sin(angle);
  }
}

/** Starting noise of a picture's seed: `facecond.sampling.generation.start_noise`. */
export const startNoise = (seed, size) => randn(mix(seed, "start"), size);

/** Steps drawn with one generator: STEPS_PER_BLOCK of facecond/sampling/generation.py. */
const STEPS_PER_BLOCK = 16;

/** Noise of the sampling steps of a picture's seed: a function of the step, `facecond.sampling.generation.StepNoise`. */
export function stepNoise(seed, size) {
  let drawn = -1;
  let block;
  return (step) => {
    const place = step % STEPS_PER_BLOCK;
    const wanted = (step - place) / STEPS_PER_BLOCK;
    if (wanted !== drawn) block = randn(mix(seed, "step", wanted), STEPS_PER_BLOCK * size);
    drawn = wanted;
    return block.subarray(place * size, (place + 1) * size);
  };
}
