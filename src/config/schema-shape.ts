import type { z } from 'zod';

/** The schema inside optional, default and the like. */
function unwrap(schema: z.ZodType): z.ZodType {
  const def = schema.def as { innerType?: z.ZodType; in?: z.ZodType; type: string };
  if (def.innerType !== undefined) return unwrap(def.innerType);
  if (def.type === 'pipe' && def.in !== undefined) return unwrap(def.in);
  return schema;
}

/** An object schema's fields; undefined for other schemas. */
export function shapeOf(schema: z.ZodType): Record<string, z.ZodType> | undefined {
  return (unwrap(schema) as { shape?: Record<string, z.ZodType> }).shape;
}

/** The schema of a nested field. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  return path.reduce<z.ZodType | undefined>((at, key) => {
    if (at === undefined) return undefined;
    const element = (unwrap(at).def as { element?: z.ZodType }).element;
    return shapeOf(at)?.[String(key)] ?? element;
  }, schema);
}

/** A schema's metadata, attached outside or inside of optional, default and the like. */
export function metaOf(schema: z.ZodType): Record<string, unknown> {
  const inner = (schema.def as { innerType?: z.ZodType; in?: z.ZodType }).innerType;
  return { ...(inner === undefined ? {} : metaOf(inner)), ...schema.meta() };
}
