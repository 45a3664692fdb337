// An exported run: its networks, and pictures from seeds and conditions as `facecond sample` makes them.
//
// model.json says what there is (docs/formats.md, "exports"). The networks are run by onnxruntime-web, which is handed in, so that
// this file can be tried with any other runtime of the same interface.

import { hex, mix, sha256, startNoise, stepNoise } from "./random.js";
import { isFinite, quantised, restored, toPixels } from "./quantise.js";
import { SAMPLERS, expectedClasses, guided, prediction, sharesOf } from "./sampling.js";

/** Value of a label map where nothing is said. */
const UNSAID = 255;
/** Share of the time that previews may take; the first comes with the first step. */
const PREVIEWS = 0.2;

const f32 = Math.fround;
const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** Loads what the folder `base` (a URL that ends in a slash) holds; `ort` is onnxruntime-web, `told(done, of)` hears of networks loaded. */
export async function loadModel(base, ort, told = () => {}) {
  const answer = await fetch(new URL("model.json", base));
  if (!answer.ok) throw new Error(`model.json: the server answers ${answer.status}`);
  const about = await answer.json();
  if (about.format !== "facecond-web" || about.version !== 1) {
    throw new Error(`model.json is ${about.format} version ${about.version}, expected facecond-web version 1`);
  }
  let [done, files] = [0, 0];
  const session = async (file) => {
    files++;
    const bytes = await fetched(new URL(file, base));
    const made = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    told(++done, files);
    return made;
  };
  const diffuser = async (told) => ({
    about: told,
    step: session(told.step),
    encoders: Object.fromEntries(told.conditions.map((each) => [each.name, session(each.file)])),
  });
  const settled = async (net) => {
    for (const name of Object.keys(net.encoders)) net.encoders[name] = await net.encoders[name];
    net.step = await net.step;
    return net;
  };
  const picture = await diffuser(about.picture);
  const maps = about.maps && (await diffuser(about.maps));
  const decoder = about.decoder && session(about.decoder.file);
  const codebook = about.decoder && fetched(new URL(about.decoder.codebook, base));
  return new Model(
    ort,
    about,
    await settled(picture),
    maps && (await settled(maps)),
    about.decoder && { step: await decoder, codebook: new Float32Array((await codebook).buffer) },
  );
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname}: the server answers ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

class Model {
  constructor(ort, about, picture, maps, decoder) {
    Object.assign(this, { ort, about, picture, maps, decoder });
  }

  /**
   * Makes `count` pictures that are told the same. `values` holds what is said, by the name of the condition: Int8Array(40) of -1,
   * 0, 1, Uint8Array(pixels) with 255 where nothing is said; null or nothing at all = unsaid. With `draw: false` what a map leaves
   * open stays open. `onStep({what, index, step, of, pixels})` hears of every step on the way to a map or a picture; `pixels`, RGBA
   * bytes of the picture in the making, now and then, else null. `pause()` is waited for before every step and may throw.
   * Returns [{index, pixels, told, record}], `told` as the model was told it.
   */
  async sample(request, onStep = () => {}, pause = async () => {}) {
    const settings = this.#settings(request);
    const values = this.#told(request.values ?? {});
    const pictures = [];
    for (let index = 0; index < (request.count ?? 1); index++) {
      const seed = mix(request.seed ?? 0, "image", index);
      pictures.push(await this.#one(index, seed, values, request.draw ?? true, settings, onStep, pause));
    }
    return pictures;
  }

  /** Sampler and guidance: the run's own where nothing else is asked for. */
  #settings(request) {
    const { picture } = this.about;
    const sampler = { ...picture.sampler };
    const asked = { name: request.sampler, steps: request.steps, eta: request.eta };
    for (const [key, value] of Object.entries(asked)) sampler[key] = value ?? sampler[key];
    if (!Object.hasOwn(SAMPLERS, sampler.name)) throw new RangeError(`sampler ${sampler.name}: expected ${Object.keys(SAMPLERS).join(" or ")}`);
    if (!(sampler.eta >= 0 && sampler.eta <= 1)) throw new RangeError(`eta ${sampler.eta}: expected 0 to 1`);
    const guidance = {};
    for (const { name } of picture.conditions) {
      const own = typeof request.guidance === "number" ? request.guidance : request.guidance?.[name];
      guidance[name] = own ?? picture.guidance[name];
      if (!(guidance[name] >= 0)) throw new RangeError(`guidance of ${name}: expected a number from 0`);
      if (guidance[name] !== 1 && !picture.optional) throw new RangeError(`guidance of ${name}: the model was always told everything, so it stays at 1`);
    }
    return { sampler, guidance };
  }

  /** What is said, of the conditions the model has. */
  #told(values) {
    const told = {};
    for (const { name, shape, entries, nothing } of this.about.picture.conditions) {
      const value = values[name];
      if (!value) continue;
      if (value.length !== sizeOf(shape)) throw new RangeError(`${name} has ${value.length} entries, expected ${sizeOf(shape)}`);
      const wrong = value.find((entry) => !entries.includes(entry));
      if (wrong !== undefined) throw new RangeError(`${name} holds ${wrong}, expected ${entries.join(", ")}`);
      if (value.some((entry) => entry !== nothing)) told[name] = value;
    }
    return told;
  }

  async #one(index, seed, given, draw, settings, onStep, pause) {
    const { picture } = this.about;
    const drawn = draw && this.maps && (!given.mask || given.mask.includes(UNSAID));
    const told = { ...given };
    if (drawn) {
      const { steps } = this.about.maps.sampler;
      told.mask = await this.#drawn(seed, given, (step) => onStep({ what: "maps", index, step: step + 1, of: steps, pixels: null }), pause);
    }
    const open = picture.conditions.find(({ name, nothing }) => !told[name] || told[name].includes(nothing));
    if (open && !picture.optional) throw new Error(`${open.name} is not given in full, and the model must be told it`);
    const pixelsOf = async (z) => toPixels(await this.#decoded(restored(z, picture.scale)));
    const { steps } = settings.sampler;
    let next = 0;
    const shown = async (step, x0) => {
      let pixels = null;
      const began = performance.now();
      if (step + 1 < steps && began >= next) {
        pixels = await pixelsOf(x0);
        const now = performance.now();
        next = now + (now - began) / PREVIEWS;
      }
      onStep({ what: "pictures", index, step: step + 1, of: steps, pixels });
    };
    const z = await this.#latents(this.picture, told, seed, settings, (predict) => predict, shown, pause);
    if (!isFinite(z)) throw new Error(`latents of seed ${seed} are not finite`);
    return { index, pixels: await pixelsOf(z), told, record: this.#record(index, seed, told, given, drawn, settings) };
  }

  /** The label map of a picture's seed under what is said: facecond/assembly/maps.py. */
  async #drawn(seed, given, onStep, pause) {
    const { maps } = this.about;
    const [classes, side] = maps.latent;
    const cells = side * side;
    const said = given.mask ?? new Uint8Array(cells).fill(UNSAID);
    const values = { ...given, mask: said };
    const known = new Float32Array(classes * cells);
    for (let i = 0; i < known.length; i++) {
      const [k, cell] = [Math.floor(i / cells), i % cells];
      known[i] = f32((said[cell] === k ? 1 : 0) - maps.scale.mean[k]) / maps.scale.std[k];
    }
    const pinned = (predict) => async (z, level) => {
      const answered = (await predict(z, level)).x0;
      const found = maps.temperature === null ? answered : expectedClasses(answered, z, level, maps.scale, maps.temperature);
      const x0 = found.map((value, i) => (said[i % cells] < classes ? known[i] : value));
      return prediction(x0, "x0", z, level);
    };
    const settings = { sampler: maps.sampler, guidance: maps.guidance };
    const z = await this.#latents(this.maps, values, mix(seed, "map"), settings, pinned, async (step) => onStep(step), pause);
    const channels = restored(z, maps.scale);
    if (!isFinite(channels)) throw new Error(`the map of seed ${seed} is not finite`);
    return said.map((label, cell) => {
      if (label < classes) return label;
      let best = 0;
      for (let k = 1; k < classes; k++) if (channels[k * cells + cell] > channels[best * cells + cell]) best = k;
      return best;
    });
  }

  /** Samples latents of `net` from the noise of `seed`. */
  async #latents(net, told, seed, { sampler, guidance }, amend, onStep, pause) {
    const { about } = net;
    const size = sizeOf(about.latent);
    const { tokens, shares } = await this.#contexts(net, told, guidance);
    const count = shares.length;
    const predict = async (z, level) => {
      await pause();
      const repeated = new Float32Array(count * size);
      for (let k = 0; k < count; k++) repeated.set(z, k * size);
      const feeds = { z: this.#tensor("float32", repeated, [count, ...about.latent]) };
      feeds.time = this.#tensor("float32", new Float32Array(count).fill(level.time), [count]);
      if (tokens) feeds.tokens = tokens;
      const raw = (await net.step.run(feeds)).raw.data;
      const parts = Array.from({ length: count }, (_, k) => raw.subarray(k * size, (k + 1) * size));
      return prediction(guided(parts, shares), about.target, z, level);
    };
    return SAMPLERS[sampler.name](
      amend(predict),
      startNoise(seed, size),
      about.schedule,
      sampler,
      stepNoise(seed, size),
      onStep,
    );
  }

  /** Tokens of the contexts that guidance evaluates, joined, and the share of each: facecond/diffusion/guidance.py. */
  async #contexts(net, told, guidance) {
    const { conditions } = net.about;
    if (!conditions.length) return { tokens: null, shares: [1] };
    const encoded = {};
    for (const each of conditions) {
      encoded[each.name] = await this.#encode(net, each, told[each.name] ?? null);
    }
    const order = [...conditions].reverse();
    const weights = order.map(({ name }) => guidance[name]);
    let [shares, contexts] = [[1], [order.length]];
    if (weights.some((weight) => weight !== 1)) {
      const all = sharesOf(weights);
      contexts = [...all.keys()].filter((said) => all[said] !== 0);
      shares = contexts.map((said) => all[said]);
    }
    const nothing = {};
    if (contexts.some((said) => said < order.length)) {
      for (const each of conditions) nothing[each.name] = await this.#encode(net, each, null);
    }
    const rows = contexts.flatMap((said) => {
      const here = order.slice(0, said).map(({ name }) => name);
      return conditions.map(({ name }) => (here.includes(name) ? encoded : nothing)[name]);
    });
    const joined = new Float32Array(rows.reduce((length, row) => length + row.length, 0));
    let place = 0;
    for (const row of rows) {
      joined.set(row, place);
      place += row.length;
    }
    const { token_count: count, token_width: width } = net.about;
    return { tokens: this.#tensor("float32", joined, [contexts.length, count, width]), shares };
  }

  /** Tokens of a value; those of one that says nothing are the null tokens. */
  async #encode(net, { name, dtype, shape, nothing }, value) {
    const Kind = dtype === "int8" ? Int8Array : Uint8Array;
    const data = value ?? new Kind(sizeOf(shape)).fill(nothing);
    const values = this.#tensor(dtype, data, [1, ...shape]);
    return (await net.encoders[name].run({ values })).tokens.data;
  }

  async #decoded(latents) {
    if (!this.decoder) return latents;
    const { channels } = this.about.decoder;
    const codes = quantised(latents, this.decoder.codebook, channels);
    const side = Math.sqrt(codes.length / channels);
    const images = await this.decoder.step.run({ codes: this.#tensor("float32", codes, [1, channels, side, side]) });
    return images.images.data;
  }

  #tensor(type, data, shape) {
    return new this.ort.Tensor(type, data, shape);
  }

  /** What `Session.sample` says of a picture; seeds have 63 bits, so they are text. */
  #record(index, seed, told, given, drawn, settings) {
    const { about } = this;
    const description = {};
    const digests = {};
    for (const { name, dtype, shape } of about.picture.conditions) {
      if (!told[name]) continue;
      digests[name] = { sha256: digestOf(told[name], dtype, shape) };
      description[name] = name === "attributes" ? attributeWords(told[name], about.attributes) : "painted";
      if (drawn && name === "mask") {
        digests.mask.given = given.mask ? digestOf(given.mask, dtype, shape) : null;
        description.mask = given.mask ? `painted, the rest drawn by ${about.maps.run}` : `drawn by ${about.maps.run}`;
      }
    }
    return {
      index,
      seed: String(seed),
      source: null,
      description,
      told: digests,
      place: {},
      weights: about.picture.weights,
      first_stage: about.first_stage,
      ...settings,
      precision: "float32",
      ...(drawn && { maps: { weights: about.maps.weights, sampler: about.maps.sampler, guidance: about.maps.guidance } }),
      made_by: `onnxruntime-web ${about.runtime}`,
    };
  }
}

/** Attributes in words, "+Smiling,-Male", in the order of their names: `facecond.faces.attributes.format_attributes`. */
export const attributeWords = (signs, names) =>
  names.flatMap((name, place) => (signs[place] ? [(signs[place] > 0 ? "+" : "-") + name] : [])).join(",");

/** SHA-256 of kind, shape and content of a value, as `facecond.sampling.folder.digest_of` takes it. */
export function digestOf(value, dtype, shape) {
  const head = new TextEncoder().encode(`${dtype}(${shape.join(", ")}${shape.length === 1 ? "," : ""})`);
  const bytes = new Uint8Array(head.length + value.length);
  bytes.set(head);
  bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.length), head.length);
  return hex(sha256(bytes));
}
