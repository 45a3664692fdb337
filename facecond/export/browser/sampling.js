// From noise to latents: facecond/diffusion/{schedule,prediction,guidance,samplers}.py, in their arithmetic.
//
// Coefficients are computed in double precision and rounded to float32 where they meet an array, as torch does. Arrays are
// Float32Array; a level is {alpha, sigma, time}: z = alpha x0 + sigma eps.

const f32 = Math.fround;

/** Shares [a, b] of x0 and eps in each kind of answer: ANSWERS of facecond/diffusion/prediction.py. */
export const ANSWERS = {
  eps: () => [0, 1],
  x0: () => [1, 0],
  v: (level) => [-level.sigma, level.alpha],
  velocity: () => [-1, 1],
};

/** What `raw`, an answer of kind `source` about `z`, says as an answer of kind `to`. */
export function convert(raw, z, level, source, to) {
  if (source === to) return raw;
  const [a, b] = ANSWERS[source](level);
  const [aTo, bTo] = ANSWERS[to](level);
  const determinant = level.alpha * b - level.sigma * a;
  if (determinant === 0) throw new RangeError(`${source} says nothing about ${to} at sigma ${level.sigma}`);
  const ofZ = (aTo * b - bTo * a) / determinant;
  const ofRaw = (level.alpha * bTo - level.sigma * aTo) / determinant;
  return sum(ofZ, z, ofRaw, raw);
}

function sum(share, one, otherShare, other) {
  if (share === 0) return scaled(otherShare, other);
  if (otherShare === 0) return scaled(share, one);
  const [s, t] = [f32(share), f32(otherShare)];
  return one.map((value, i) => f32(s * value) + f32(t * other[i]));
}

const scaled = (share, values) => (share === 1 ? values : values.map((value) => f32(share) * value));

/** What a network said about latents: its clean latents and its noise. */
export function prediction(raw, target, z, level) {
  return {
    get x0() {
      return convert(raw, z, level, target, "x0");
    },
    get eps() {
      return convert(raw, z, level, target, "eps");
    },
  };
}

/** The shares of contexts 0..n in a guidance chain with weights w_1..w_n: they add up to 1. */
export function sharesOf(weights) {
  const chain = [1, ...weights, 0];
  return chain.slice(1).map((after, i) => chain[i] - after);
}

/** `parts`, raw answers under each context, times their `shares`. */
export function guided(parts, shares) {
  let total = parts.length === 1 ? parts[0] : scaledAll(shares[0], parts[0]);
  for (let k = 1; k < parts.length; k++) {
    const share = f32(shares[k]);
    const before = total;
    total = before.map((value, i) => value + f32(share * parts[k][i]));
  }
  return total;
}

const scaledAll = (share, values) => values.map((value) => f32(share) * value);

/**
 * The clean map expected of a network that answers in logits of classes: facecond/diffusion/classes.py. `answer` and `z` have the
 * classes of `scale` one after another.
 */
export function expectedClasses(answer, z, level, { mean, std }, temperature) {
  const classes = mean.length;
  const cells = z.length / classes;
  const [ofZ, ofClass] = [level.alpha / level.sigma ** 2, (level.alpha / level.sigma) ** 2];
  const x0 = new Float32Array(z.length);
  const logits = new Float64Array(classes);
  for (let cell = 0; cell < cells; cell++) {
    let largest = -Infinity;
    for (let k = 0; k < classes; k++) {
      const at = k * cells + cell;
      logits[k] = answer[at] / temperature + (ofZ * z[at]) / std[k] - (ofClass * (0.5 - mean[k])) / std[k] ** 2;
      largest = Math.max(largest, logits[k]);
    }
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += logits[k] = Math.exp(logits[k] - largest);
    for (let k = 0; k < classes; k++) x0[k * cells + cell] = (logits[k] / sum - mean[k]) / std[k];
  }
  return x0;
}

/** The levels of a sampler, noisiest first, and the one where it ends; `schedule` as model.json has it. */
export function falling(schedule, steps, spacing) {
  if (!Number.isInteger(steps) || steps < 1) throw new RangeError(`${steps} steps: expected at least 1`);
  if (schedule.shape === "straight") {
    return Array.from({ length: steps + 1 }, (_, i) => ({
      alpha: i / steps,
      sigma: 1 - i / steps,
      time: 1000 * (1 - i / steps),
    }));
  }
  const abar = schedule.alphas_cumprod;
  if (steps > abar.length) throw new RangeError(`${steps} steps: expected 1 to ${abar.length}`);
  const times = spacing === "time" ? evenInTime(abar.length, steps) : evenInLogSnr(abar, steps);
  return times.map((t) => ({ alpha: Math.sqrt(abar[t]), sigma: Math.sqrt(1 - abar[t]), time: t }));
}

function evenInTime(count, steps) {
  const times = Array.from({ length: steps }, (_, i) => steps - 1 - i);
  if (steps === count) return [...times, 0];
  return [...times.map((i) => Math.floor((i * count) / steps) + 1), 0];
}

function evenInLogSnr(abar, steps) {
  const last = abar.length - 1;
  if (steps === abar.length) return [...Array.from(abar, (_, i) => last - i), 0];
  const lambdas = abar.map((share) => Math.log(share / (1 - share)) / 2);
  const [from, to] = [lambdas[last], lambdas[0]];
  const nearest = (aim) => lambdas.reduce((best, each, t) => (Math.abs(each - aim) < Math.abs(lambdas[best] - aim) ? t : best), 0);
  const levels = Array.from({ length: steps + 1 }, (_, i) => nearest(from + ((to - from) * i) / steps));
  for (let i = steps - 1; i >= 0; i--) levels[i] = Math.max(levels[i], levels[i + 1] + 1);
  levels[0] = last;
  for (let i = 1; i <= steps; i++) levels[i] = Math.min(levels[i], levels[i - 1] - 1);
  return levels;
}

/** The steps of DDIM: z <- alpha x0 + noise eps + sigma fresh (Song et al. 2021, equations 12 and 16). */
export function ddimPlan(schedule, steps, eta) {
  const levels = falling(schedule, steps, "time");
  return levels.slice(1).map((there, i) => {
    const here = levels[i];
    const kept = (here.alpha / there.alpha) * there.sigma;
    const fresh = ((eta * there.sigma) / here.sigma) * Math.sqrt(Math.max(here.sigma ** 2 - kept ** 2, 0));
    if (!(fresh <= there.sigma)) throw new RangeError(`eta ${eta} adds more noise than a step can hold: expected 0 to 1`);
    return { level: here, alpha: there.alpha, noise: Math.sqrt(there.sigma ** 2 - fresh ** 2), sigma: fresh };
  });
}

/** The steps of DPM-Solver++ 2M: z <- scale z + now x0 + before (x0 of the step before) + sigma fresh (Lu et al. 2022b). */
export function dpmppPlan(schedule, steps, eta) {
  const lambda = ({ alpha, sigma }) => (sigma === 0 ? Infinity : alpha > 0 ? Math.log(alpha / sigma) : -Infinity);
  const levels = falling(schedule, steps, "log_snr");
  let hBefore = Infinity;
  return levels.slice(1).map((there, i) => {
    const here = levels[i];
    const h = lambda(there) - lambda(here);
    const gain = -there.alpha * Math.expm1(-(1 + eta) * h);
    const second = hBefore > 0 && hBefore < Infinity && h < Infinity;
    const slope = second ? (gain * h) / (2 * hBefore) : 0;
    hBefore = h;
    return {
      level: here,
      scale: (there.sigma / here.sigma) * (eta > 0 ? Math.exp(-eta * h) : 1),
      now: gain + slope,
      before: -slope,
      sigma: there.sigma * (eta > 0 ? Math.sqrt(-Math.expm1(-2 * eta * h)) : 0),
    };
  });
}

/**
 * Latents from noise. `predict(z, level)` promises what `prediction` returns, `fresh(step)` the noise of a step, and
 * `onStep(step, x0)` is called, and waited for, with the clean latents each step saw.
 */
async function ddim(predict, noise, schedule, { steps, eta }, fresh, onStep) {
  let z = noise;
  for (const [index, step] of ddimPlan(schedule, steps, eta).entries()) {
    const seen = await predict(z, step.level);
    const x0 = seen.x0;
    let next = scaledAll(step.alpha, x0);
    if (step.noise > 0) next = added(next, step.noise, seen.eps);
    if (step.sigma > 0) next = added(next, step.sigma, fresh(index));
    z = next;
    await onStep(index, x0);
  }
  return z;
}

async function dpmpp(predict, noise, schedule, { steps, eta }, fresh, onStep) {
  let z = noise;
  let x0Before = null;
  for (const [index, step] of dpmppPlan(schedule, steps, eta).entries()) {
    const { x0 } = await predict(z, step.level);
    let next = added(scaledAll(step.scale, z), step.now, x0);
    if (x0Before !== null && step.before !== 0) next = added(next, step.before, x0Before);
    if (step.sigma > 0) next = added(next, step.sigma, fresh(index));
    z = next;
    x0Before = x0;
    await onStep(index, x0);
  }
  return z;
}

function added(values, share, others) {
  const rounded = f32(share);
  return values.map((value, i) => value + f32(rounded * others[i]));
}

/** Ways from noise to latents by name: SAMPLERS of facecond/diffusion/samplers.py. */
export const SAMPLERS = { ddim, dpmpp };
