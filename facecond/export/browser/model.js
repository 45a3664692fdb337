// An exported run: its networks, and pictures from seeds and conditions as `facecond sample` makes them.
//
// model.json says what there is (docs/formats.md, "exports"). The networks are run by onnxruntime-web, which is handed in, so that
// this file can be tried with any other runtime of the same interface.

import { hex, mix, sha256, startNoise, stepNoise } from "./random.js";
import { isFinite, quantised, restored, toPixels } from "./quantise.js";
import { SAMPLERS, guided, prediction, sharesOf } from "./sampling.js";

/** Value of a label map where nothing is said. */
const UNSAID = 255;
/** Steps after which a preview is shown, beside the first. */
const PREVIEW_EVERY = 4;

const f32 = Math.fround;
const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** Loads what the folder `base` (a URL that ends in a slash) holds; `ort` is onnxruntime-web, `told(share)` hears of progress. */
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
    told(++done / files);
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
   * 0, 1, Uint8Array(pixels) with 255 where nothing is said; null or nothing at all = unsaid. `onPreview({index, step, steps, pixels})`
   * hears of pictures in the making; `pause()` is waited for before every step and may throw.
   * Returns [{index, seed, pixels, width, height, told, record}]: RGBA bytes, and `told` as the model was told it.
   */
  async sample(request, onPreview = () => {}, pause = async () => {}) {
    const { picture } = this.about;
    const settings = { sampler: { ...picture.sampler }, guidance: {} };
    for (const key of ["name", "steps", "eta"]) {
      const given = key === "name" ? request.sampler : request[key];
      if (given !== undefined && given !== null) settings.sampler[key] = given;
    }
    if (!(settings.sampler.name in SAMPLERS)) throw new RangeError(`sampler ${settings.sampler.name}: expected ${Object.keys(SAMPLERS)}`);
    if (!(settings.sampler.eta >= 0 && settings.sampler.eta <= 1)) throw new RangeError(`eta ${settings.sampler.eta}: expected 0 to 1`);
    for (const { name } of picture.conditions) {
      const given = typeof request.guidance === "number" ? request.guidance : (request.guidance?.[name] ?? request.guidance?.scale);
      settings.guidance[name] = given ?? picture.guidance[name];
      if (!(settings.guidance[name] >= 0)) throw new RangeError(`guidance of ${name}: expected a number from 0`);
    }
    const pictures = [];
    for (let index = 0; index < (request.count ?? 1); index++) {
      const seed = mix(request.seed ?? 0, "image", index);
      pictures.push(await this.#one(index, seed, request.values ?? {}, settings, onPreview, pause));
    }
    return pictures;
  }

  async #one(index, seed, given, settings, onPreview, pause) {
    const { picture, resolution } = this.about;
    const told = {};
    for (const each of picture.conditions) if (given[each.name]) told[each.name] = checked(given[each.name], each);
    const drawn = "mask" in this.picture.encoders && this.maps && (!told.mask || told.mask.includes(UNSAID));
    if (drawn) told.mask = await this.#drawn(seed, given, pause);
    const pixelsOf = async (z) => toPixels(await this.#decoded(restored(z, picture.scale)));
    const { steps } = settings.sampler;
    const preview = async (step, x0) => {
      if (step + 1 < steps && step % PREVIEW_EVERY === 0) {
        onPreview({ index, step: step + 1, steps, width: resolution, height: resolution, pixels: await pixelsOf(x0) });
      }
    };
    const z = await this.#latents(this.picture, told, seed, settings, (predict) => predict, preview, pause);
    if (!isFinite(z)) throw new Error(`latents of seed ${seed} are not finite`);
    const pixels = await pixelsOf(z);
    return {
      index,
      seed: String(seed),
      pixels,
      width: resolution,
      height: resolution,
      told,
      record: this.#record(index, seed, told, given, drawn, settings),
    };
  }

  /** The label map of a picture's seed under what is said: facecond/assembly/maps.py. */
  async #drawn(seed, given, pause) {
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
      const found = (await predict(z, level)).x0;
      const x0 = found.map((value, i) => (said[i % cells] < classes ? known[i] : value));
      return prediction(x0, "x0", z, level);
    };
    const settings = { sampler: maps.sampler, guidance: maps.guidance };
    const z = await this.#latents(this.maps, values, mix(seed, "map"), settings, pinned, async () => {}, pause);
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
    const { conditions, optional } = net.about;
    if (!conditions.length) return { tokens: null, shares: [1] };
    const encoded = {};
    for (const each of conditions) {
      const value = told[each.name];
      if (!value && !optional) throw new Error(`${each.name} is not given, and the model must be told it`);
      encoded[each.name] = await this.#encode(net, each, value);
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

  /** What is kept of a picture, as a generation's records have it. */
  #record(index, seed, told, given, drawn, settings) {
    const { about } = this;
    const values = {};
    const description = {};
    for (const { name, dtype, shape } of about.picture.conditions) {
      if (!told[name]) continue;
      values[name] = { sha256: digestOf(told[name], dtype, shape) };
      if (name === "attributes") {
        values[name].value = Array.from(told[name], (sign) => "-0+"[sign + 1]).join("");
        const named = about.attributes.filter((_, i) => told[name][i]);
        description[name] = named.map((each) => (told[name][about.attributes.indexOf(each)] > 0 ? "+" : "-") + each).join(",");
      } else description[name] = given[name] ? "painted in the browser" : "";
    }
    if (drawn) {
      const painted = given.mask && given.mask.some((label) => label !== UNSAID);
      values.mask.given = given.mask ? digestOf(given.mask, "uint8", [about.resolution, about.resolution]) : null;
      description.mask = painted ? `${description.mask}, the rest drawn by ${about.maps.run}` : `drawn by ${about.maps.run}`;
    }
    return {
      index,
      seed: String(seed),
      source: null,
      description,
      told: values,
      weights: about.picture.weights,
      first_stage: about.first_stage,
      sampler: settings.sampler,
      guidance: settings.guidance,
      precision: "float32",
      made_by: `onnxruntime-web ${about.runtime}`,
      ...(about.maps && { maps: { weights: about.maps.weights, sampler: about.maps.sampler, guidance: about.maps.guidance } }),
    };
  }
}

/** SHA-256 of kind, shape and content of a value, as `facecond.sampling.folder.digest_of` takes it. */
export function digestOf(value, dtype, shape) {
  const head = new TextEncoder().encode(`${dtype}(${shape.join(", ")}${shape.length === 1 ? "," : ""})`);
  const bytes = new Uint8Array(head.length + value.length);
  bytes.set(head);
  bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.length), head.length);
  return hex(sha256(bytes));
}

function checked(value, { name, shape, entries }) {
  if (value.length !== sizeOf(shape)) throw new RangeError(`${name} has ${value.length} entries, expected ${sizeOf(shape)}`);
  const wrong = value.find((entry) => !entries.includes(entry));
  if (wrong !== undefined) throw new RangeError(`${name} holds ${wrong}, expected ${entries.join(", ")}`);
  return value;
}
