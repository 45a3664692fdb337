// The line of the terminal that makes a picture again, from the picture's record. No document.

/** `facecond sample ...`; `attributes` are those of studio.json. */
export function commandOf({ run, asked }, attributes) {
  const words = ["facecond sample", `run=${run}`, ...(asked.map ? ["--mask map.png"] : []), ...(asked.sketch ? ["--sketch sketch.png"] : [])];
  const said = attributes.map(({ name }, place) => [asked.signs[place], name]).filter(([sign]) => sign);
  if (said.length) words.push(`--attr=${said.map(([sign, name]) => (sign > 0 ? "+" : "-") + name).join(",")}`);
  words.push(`sampler=${asked.sampler}`, `sampler.steps=${asked.steps}`, `sampler.eta=${asked.eta}`, `seed=${asked.seed}`, `count=${asked.count}`);
  for (const [name, weight] of Object.entries(asked.guidance)) words.push(`guidance.${name}=${weight}`);
  if (!asked.draw) words.push("maps=none");
  return words.join(" ");
}
