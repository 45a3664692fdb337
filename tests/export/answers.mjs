// Answers questions about the page's modules: JSON on standard input, [{what, ...}], JSON on standard output; arrays are lists.

import { randn, mix, sha256, hex, startNoise, stepNoise } from "../../facecond/export/browser/random.js";
import { SAMPLERS, ddimPlan, dpmppPlan, convert, expectedClasses, guided, prediction, sharesOf } from "../../facecond/export/browser/sampling.js";
import { quantised, restored, toPixels } from "../../facecond/export/browser/quantise.js";
import { attributeWords, digestOf } from "../../facecond/export/browser/model.js";

const f32 = (values) => Float32Array.from(values);
const PLANS = { ddim: ddimPlan, dpmpp: dpmppPlan };

const ANSWERS = {
  sha256: ({ bytes }) => hex(sha256(Uint8Array.from(bytes))),
  mix: ({ seed, stream, index }) => String(mix(BigInt(seed), stream, index)),
  randn: ({ seed, count }) => [...randn(BigInt(seed), count)],
  start: ({ seed, size }) => [...startNoise(BigInt(seed), size)],
  steps: ({ seed, size, steps }) => {
    const noise = stepNoise(BigInt(seed), size);
    return steps.map((step) => [...noise(step)]);
  },
  plan: ({ sampler, schedule, steps, eta }) => PLANS[sampler](schedule, steps, eta),
  convert: ({ raw, z, level, source, to }) => [...convert(f32(raw), f32(z), level, source, to)],
  classes: ({ answer, z, level, scale, temperature }) => [...expectedClasses(f32(answer), f32(z), level, scale, temperature)],
  guided: ({ weights, parts }) => ({ shares: sharesOf(weights), total: [...guided(parts.map(f32), sharesOf(weights))] }),
  // The answer of the network is `slope` z + `offset`, whatever the level.
  sample: async ({ sampler, schedule, target, noise, steps, eta, seed, slope, offset }) => {
    const predict = async (z, level) => prediction(z.map((value) => slope * value + offset), target, z, level);
    const fresh = stepNoise(BigInt(seed), noise.length);
    return [...(await SAMPLERS[sampler](predict, f32(noise), schedule, { steps, eta }, fresh, async () => {}))];
  },
  quantised: ({ latents, codebook, channels }) => [...quantised(f32(latents), f32(codebook), channels)],
  restored: ({ z, scale }) => [...restored(f32(z), scale)],
  pixels: ({ image }) => [...toPixels(f32(image))],
  digest: ({ values, dtype, shape }) => digestOf(dtype === "int8" ? Int8Array.from(values) : Uint8Array.from(values), dtype, shape),
  words: ({ signs, names }) => attributeWords(signs, names),
};

let text = "";
for await (const piece of process.stdin) text += piece;
const answers = [];
for (const question of JSON.parse(text)) {
  try {
    answers.push(await ANSWERS[question.what](question));
  } catch (error) {
    answers.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(answers));
