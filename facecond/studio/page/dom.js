// Elements of the page: found, made, drawn.

export const $ = (id) => document.getElementById(id);

export const made = (kind, more = {}, ...inside) => {
  const element = Object.assign(document.createElement(kind), more);
  element.append(...inside);
  return element;
};

export function icon(path) {
  const [svg, line] = ["svg", "path"].map((kind) => document.createElementNS("http://www.w3.org/2000/svg", kind));
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  made("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
