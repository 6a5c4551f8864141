import { z } from 'zod';

/** The description of an option, for help texts and command lines. */
export interface OptionDescription {
  /** Dotted path, e.g. 'lora.rank'. */
  path: string;
  /** The type in words, e.g. 'integer >= 1'. */
  type: string;
  description: string;
  /** undefined if the option has no fixed default. */
  default: unknown;
  required: boolean;
  /**
   * How a command line reads the option: as text ('string'), a number, a switch, a comma-separated
   * list of texts, or JSON. 'none': not available on a command line.
   */
  kind: 'string' | 'number' | 'boolean' | 'list' | 'json' | 'none';
  /** All allowed values, or the allowed words besides a number. */
  choices: readonly string[];
}

interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  typeText?: string;
  cli?: 'path' | 'none';
}

/** Every option of a schema, nested ones by dotted path, in the order of their definition. */
export function describeOptions(schema: z.ZodType): OptionDescription[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  return walk(json, '', {}, true);
}

/** The defaults of a prefaulted object are its fields' own defaults, unless it sets others. */
function walk(
  schema: JsonSchema,
  prefix: string,
  defaults: Record<string, unknown>,
  parentRequired: boolean,
): OptionDescription[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const required = parentRequired && (schema.required?.includes(key) ?? false);
    if (field.properties !== undefined) {
      return walk(field, path, (field.default ?? {}) as Record<string, unknown>, required);
    }
    return [
      {
        path,
        type: typeText(field),
        description: field.description ?? '',
        default: defaults[key] ?? field.default,
        required,
        kind: kindOf(field),
        choices: choicesOf(field),
      },
    ];
  });
}

function typeText(field: JsonSchema): string {
  if (field.typeText !== undefined) return field.typeText;
  if (field.const !== undefined) return `'${String(field.const)}'`;
  if (field.enum !== undefined) return field.enum.map((value) => `'${String(value)}'`).join(' | ');
  if (field.anyOf !== undefined) return field.anyOf.map(typeText).join(' | ');
  if (field.type === 'array') return `array of ${typeText(field.items ?? {})}`;
  if (field.type === 'number' || field.type === 'integer') return numberText(field);
  return field.type ?? 'any';
}

/** Limits of the types of integers, which are not worth a mention. */
const TYPE_LIMITS: readonly (number | undefined)[] = [
  ...[Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, -(2 ** 31), 2 ** 31 - 1],
];

function numberText(field: JsonSchema): string {
  const bounds = [
    field.minimum === undefined || TYPE_LIMITS.includes(field.minimum)
      ? undefined
      : `>= ${field.minimum}`,
    field.exclusiveMinimum === undefined ? undefined : `> ${field.exclusiveMinimum}`,
    field.maximum === undefined || TYPE_LIMITS.includes(field.maximum)
      ? undefined
      : `<= ${field.maximum}`,
    field.exclusiveMaximum === undefined ? undefined : `< ${field.exclusiveMaximum}`,
    field.multipleOf === undefined ? undefined : `multiple of ${field.multipleOf}`,
  ].filter((text) => text !== undefined);
  return [field.type, ...(bounds.length > 0 ? [bounds.join(', ')] : [])].join(' ');
}

function kindOf(field: JsonSchema): OptionDescription['kind'] {
  if (field.cli === 'none') return 'none';
  if (field.cli === 'path') return 'string';
  const types = field.anyOf ?? [field];
  if (types.some((each) => each.type === 'number' || each.type === 'integer')) return 'number';
  if (types.some((each) => each.type === 'boolean')) return 'boolean';
  const isTextList = (each: JsonSchema): boolean =>
    each.type === 'array' && (each.items?.anyOf ?? [each.items]).some((i) => i?.type === 'string');
  if (types.some(isTextList)) return 'list';
  if (types.some((each) => each.type === 'string')) return 'string';
  return 'json';
}

function choicesOf(field: JsonSchema): string[] {
  return (field.anyOf ?? [field]).flatMap((each) =>
    (each.enum ?? (each.const === undefined ? [] : [each.const])).map(String),
  );
}
