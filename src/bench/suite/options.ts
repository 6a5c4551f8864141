/**
 * Nested options of options with dotted names: { 'lora.rank': 4, seed: 1 } is { lora: { rank: 4 }, seed: 1 }. Later names
 * replace what earlier ones set.
 */
export function nestedOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const nested: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) set(nested, name.split('.'), value);
  return nested;
}

function set(target: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    target[key!] = value;
    return;
  }
  const inner = target[key!];
  const copy = typeof inner === 'object' && inner !== null ? { ...inner } : {};
  target[key!] = copy;
  set(copy as Record<string, unknown>, rest, value);
}
