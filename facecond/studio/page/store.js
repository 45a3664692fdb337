// What the page keeps across a reload: in this tab first, so that two tabs do not mix; a new tab begins with the latest of all.

export class Store {
  constructor(name) {
    this.name = `facecond-studio/${name}`;
  }
  load() {
    for (const place of [sessionStorage, localStorage]) {
      try {
        const kept = JSON.parse(place.getItem(this.name));
        if (kept) return kept;
      } catch {
        place.removeItem(this.name);
      }
    }
    return null;
  }
  save(value) {
    const text = JSON.stringify(value);
    for (const place of [sessionStorage, localStorage]) {
      try { place.setItem(this.name, text); } catch { /* full, or forbidden here: the page works without */ }
    }
  }
}
