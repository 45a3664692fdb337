// An engine makes faces. This one has the server do it that the page came from; the page knows its interface and no more:
//
//   open(about, token) -> engine
//   engine.sample({run, map, sketch, signs, seed, count, sampler, steps, eta, guidance, draw}, onPreview, signal)
//       -> Promise<[{png: Uint8Array | imageData: ImageData, record}]>
//       map, sketch: Uint8Array | null, signs: Int8Array(40); onPreview({what, step, of, pictures: [source] | null}), where a source is
//       what an <img> or an ImageData takes; a sampling that `signal` aborts rejects with an AbortError
//   engine.parse(file, signal) -> Promise<{map: runs, signs: [40] | null, picture: source, notes: [text]}>
//   engine.sketch(file, signal) -> Promise<{sketch: runs}>, where a run of studio.json is told sketches

import { toRuns } from "./map.js";

const decoded = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const typeOf = (file) => (file.type.startsWith("image/") ? file.type : "application/octet-stream");

export function open(about, token) {
  const page = crypto.randomUUID();

  async function post(path, type, body, signal, onStep) {
    const headers = { "Content-Type": type, "X-Facecond-Token": token };
    const answer = await fetch(path, { method: "POST", headers, body, signal });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the studio stopped answering");
      text += value;
      for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
        const event = JSON.parse(text.slice(0, end));
        if (event.kind === "step") onStep?.(event);
        else if (event.kind === "done") return event;
        else if (event.kind === "superseded") throw new DOMException("a newer request came", "AbortError");
        else throw new Error(event.hint ? `${event.message} (${event.hint})` : event.message);
      }
    }
  }

  return {
    async sample(asked, onPreview, signal) {
      const { map, sketch, signs } = asked;
      const body = JSON.stringify({ ...asked, page, map: map && toRuns(map), sketch: sketch && toRuns(sketch), signs: [...signs] });
      const seen = ({ what, step, of, pictures }) =>
        onPreview?.({ what, step, of, pictures: pictures?.map((each) => `data:image/png;base64,${each}`) ?? null });
      const { pictures } = await post("api/sample", "application/json", body, signal, seen);
      return pictures.map(({ png, record }) => ({ png: decoded(png), record }));
    },
    async sketch(file, signal) {
      return await post("api/sketch", typeOf(file), file, signal);
    },
    async parse(file, signal) {
      const found = await post("api/parse", typeOf(file), file, signal);
      return { ...found, picture: `data:image/png;base64,${found.picture}` };
    },
  };
}
