// The 40 attributes as three-way switches: no, open, yes. Grouped and searchable; `signs` is an Int8Array of -1, 0 and 1.

const WORDS = [[-1, "no"], [0, "open"], [1, "yes"]];

export class Attributes {
  constructor(place, about, onChange) {
    this.signs = new Int8Array(about.attributes.length);
    this.rows = [];
    for (const { words, members } of about.groups) {
      const group = document.createElement("details");
      group.open = true;
      group.append(Object.assign(document.createElement("summary"), { textContent: words }));
      for (const number of members) group.append(this.#row(number, about.attributes[number].words, onChange));
      place.append(group);
    }
  }

  #row(number, words, onChange) {
    const row = document.createElement("div"), name = document.createElement("span"), three = document.createElement("span");
    row.className = "attribute";
    name.id = `attribute-${number}`;
    name.textContent = words;
    three.className = "three-way";
    three.setAttribute("role", "radiogroup");
    three.setAttribute("aria-labelledby", name.id);
    const inputs = WORDS.map(([sign, word]) => {
      const label = document.createElement("label"), input = document.createElement("input");
      Object.assign(input, { type: "radio", name: `sign-${number}`, value: sign, checked: sign === 0 });
      input.addEventListener("change", () => {
        this.signs[number] = sign;
        row.dataset.sign = sign;
        onChange(number);
      });
      label.append(input, Object.assign(document.createElement("span"), { textContent: word }));
      three.append(label);
      return input;
    });
    row.dataset.sign = 0;
    row.append(name, three);
    this.rows[number] = { row, inputs, words: words.toLowerCase() };
    return row;
  }

  /** Show `signs`; nothing is reported. */
  set(signs) {
    this.rows.forEach(({ row, inputs }, number) => {
      const sign = Math.sign(signs?.[number] ?? 0);
      this.signs[number] = sign;
      inputs[sign + 1].checked = true;
      row.dataset.sign = sign;
    });
    this.filter();
  }

  /** Show the rows that contain every word of `text`, and with `said` only those about which something is said. */
  filter(text = this.text ?? "", said = this.said ?? false) {
    Object.assign(this, { text, said });
    const asked = text.toLowerCase().split(/[\s_]+/).filter(Boolean);
    let shown = 0;
    this.rows.forEach(({ row, words }, number) => {
      row.hidden = !asked.every((word) => words.includes(word)) || (said && this.signs[number] === 0);
      shown += !row.hidden;
    });
    for (const group of document.querySelectorAll("#attributes details")) {
      group.hidden = ![...group.querySelectorAll(".attribute")].some((row) => !row.hidden);
      if (asked.length) group.open = true;
    }
    return shown;
  }
}
