// Dialogs: people to begin with, parts of others, and one attribute no, open and yes.

import { $, made } from "./dom.js";
import { source } from "./faces.js";
import { drawn } from "./layers.js";
import { exchanged } from "./map.js";

export function open(id) {
  if (!document.querySelector("dialog[open]")) $(id).showModal();
}

/** `page`: {drawing, attributes, engine, asked() for the chosen face, changed(), stop(), say(text, wrong)}. */
export function makeDialogs(about, page) {
  $("exchange").disabled = about.people.length === 0;
  makePeople(about, page);
  makeExchange(about, page);
  makeVary(about, page);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
  $("help").addEventListener("click", () => open("help-dialog"));
}

function person(each, on) {
  const button = made("button", { type: "button" }, made("img", { src: each.picture, alt: "" }), made("span", { textContent: each.name }));
  button.addEventListener("click", on);
  return button;
}

function makePeople(about, { drawing, attributes, changed, say }) {
  $("people").replaceChildren(...about.people.map((each) => person(each, () => {
    if ($("with-attributes").checked) attributes.set(each.signs);
    const { layer, own } = drawing;
    drawing.replace({ [layer]: drawn[layer](each[layer], about.size) });
    $("people-dialog").close();
    changed();
    say(`${own.words} of ${each.name}`);
  })));
  $("open-people").addEventListener("click", () => open("people-dialog"));
}

function makeExchange(about, { drawing, say }) {
  $("part").replaceChildren(...about.parts.map((part, place) => made("option", { value: place, textContent: part.words })));
  $("others").replaceChildren(...about.people.map((each) => person(each, () => {
    const part = about.parts[$("part").value];
    drawing.replace({ map: exchanged(drawing.map, drawn.map(each.map, about.size), part.classes) });
    $("exchange-dialog").close();
    say(`${part.words} as ${each.name} has it`);
  })));
  $("exchange").addEventListener("click", () => open("exchange-dialog"));
}

function makeVary(about, { attributes, engine, asked, changed, stop, say }) {
  let varying = null;

  /** The face with one attribute no, open and yes, from the same noise. */
  async function vary() {
    varying?.abort();
    stop();
    const own = (varying = new AbortController()), place = Number($("vary-attribute").value);
    const figures = [-1, 0, 1].map((sign) => {
      const button = made("button", { type: "button", className: "face" }, made("img", { alt: "" }));
      button.addEventListener("click", () => {
        const signs = attributes.signs.slice();
        signs[place] = sign;
        attributes.set(signs);
        $("vary-dialog").close();
        changed();
      });
      return made("figure", {}, button, made("figcaption", { textContent: { "-1": "no", 0: "open", 1: "yes" }[sign] }));
    });
    $("three").replaceChildren(...figures);
    try {
      for (const [number, sign] of [-1, 0, 1].entries()) {
        const request = { ...asked(), count: 1 };
        request.signs[place] = sign;
        const image = figures[number].querySelector("img");
        const [picture] = await engine.sample(request, ({ pictures: shown }) => { if (shown) image.src = shown[0]; }, own.signal);
        image.src = source(picture).url;
        figures[number].dataset.ready = "true";
        image.alt = `${about.attributes[place].words}: ${["no", "open", "yes"][number]}`;
      }
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, true);
    }
  }

  $("vary-attribute").replaceChildren(...about.attributes.map((each, place) => made("option", { value: place, textContent: each.words })));
  $("vary-attribute").value = about.attributes.findIndex(({ name }) => name === "Smiling");
  $("vary-attribute").addEventListener("change", vary);
  $("vary-dialog").addEventListener("close", () => varying?.abort());
  $("vary").addEventListener("click", () => { open("vary-dialog"); vary(); });
}
