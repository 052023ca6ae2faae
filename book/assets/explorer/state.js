// The state of the explorer is that of its form, and the address after # holds what differs from the form's defaults.

const fields = form => [...form.elements].filter(field => field.name);
const initial = field => (field.type === "checkbox" ? String(Number(field.defaultChecked))
  : field.options ? [...field.options].find(option => option.defaultSelected).value : field.defaultValue);
const current = field => (field.type === "checkbox" ? String(Number(field.checked)) : field.value);

function fits(field, text) {
  if (text === null) return false;
  if (field.type === "checkbox") return text === "0" || text === "1";
  if (field.options) return [...field.options].some(option => option.value === text);
  const steps = (Number(text) - field.min) / field.step;
  return /^\d+(\.\d+)?$/.test(text) && Number(text) >= field.min && Number(text) <= field.max && Math.abs(steps - Math.round(steps)) < 1e-6;
}

/** Whether an address' part after # is a state, and not the name of a place in the page. */
export const isState = hash => hash.includes("=");

/** Set the form to a state; what is missing or does not fit is set to its default. A semicolon will do for &. */
export function restore(form, hash) {
  const given = new URLSearchParams(hash.replace(/^#/, "").replaceAll(";", "&"));
  for (const field of fields(form)) {
    const text = given.get(field.name), value = fits(field, text) ? text : initial(field);
    if (field.type === "checkbox") field.checked = value === "1";
    else field.value = value;
  }
}

/** The form's state, as it stands in the address after #; empty where all is as at first. */
export function written(form) {
  const changed = fields(form).filter(field => current(field) !== initial(field) && fits(field, current(field)));
  return changed.map(field => `${field.name}=${current(field)}`).join("&");
}

/** Set fields that hold what does not fit to their defaults. */
export function tidy(form) {
  for (const field of fields(form)) if (!fits(field, current(field))) field.value = initial(field);
}

/** The form's state as numbers. A number that does not fit its field is read as the field's default. */
export function read(form) {
  const entries = fields(form).map(field => [field.name, Number(fits(field, current(field)) ? current(field) : initial(field))]);
  const { data, n, separation, weight, ...other } = Object.fromEntries(entries);
  return { recipe: { seed: data, n, separation, weights: [weight, rounded(1 - weight)] }, ...other };
}

const rounded = v => Math.round(v * 1e6) / 1e6;
const float = v => (Number.isInteger(v) ? v.toFixed(1) : String(v));

/** The same data and posterior, in Python. */
export function python({ recipe: { seed, n, separation, weights: [w, v] }, prior }) {
  const [half, sd] = [rounded(separation / 2), `prior_sd=${float(prior)}`];
  if (w === v) return `x = data.simulate(${seed}, n=${n}, separation=${float(separation)})\nposterior = exact.posterior(x, ${sd})`;
  return `x, z = data.draw(${seed}, ${n}, (${float(half)}, ${float(-half)}), (1, 1), (${v}, ${w}))\n` +
    `posterior = exact.posterior(x, ${sd}, weights=(${w}, ${v}))`;
}
