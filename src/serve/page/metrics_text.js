// Reads the text format of Prometheus, and makes figures for a screen from two readings of it.

// name → [{labels, value}]
export function parseMetrics(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, name, value]) => [name, value]));
    if (!families.has(found[1])) families.set(found[1], []);
    families.get(found[1]).push({labels, value: Number(found[3].replace("+Inf", "Infinity"))});
  }
  return families;
}

// The sum of a family's series, or undefined if there is none.
export function total(families, name) {
  return families.get(name)?.reduce((sum, {value}) => sum + value, 0);
}

// Counts by upper bound, not cumulative, summed over the series.
function buckets(families, name) {
  const sums = new Map();
  for (const {labels, value} of families.get(`${name}_bucket`) ?? []) {
    const bound = Number(labels.le.replace("+Inf", "Infinity"));
    sums.set(bound, (sums.get(bound) ?? 0) + value);
  }
  const sorted = [...sums].sort(([a], [b]) => a - b);
  return sorted.map(([bound, sum], index) => [bound, sum - (index ? sorted[index - 1][1] : 0)]);
}

// The quantile of what a histogram counted between two readings, linear within its bucket; undefined if
// it counted nothing.
export function quantile(before, after, name, share) {
  const earlier = new Map(buckets(before, name));
  const counted = buckets(after, name).map(([bound, value]) => [bound, value - (earlier.get(bound) ?? 0)]);
  let wanted = share * counted.reduce((sum, [, value]) => sum + value, 0);
  if (!(wanted > 0)) return undefined;
  let low = 0;
  for (const [bound, value] of counted) {
    if (wanted <= value) return bound === Infinity ? low : low + (bound - low) * wanted / value;
    wanted -= value;
    low = bound;
  }
  return low;
}
