import { z } from 'zod';
import { sandboxLimitsSchema, sandboxMode } from './sandbox.js';

const ignoreCase = () => z.boolean().default(false).describe('Compare without regard to case.');

const exactSchema = z.strictObject({
  type: z.literal('exact').describe('The answer is the expected text.'),
  ignoreCase: ignoreCase(),
  ignoreWhitespace: z
    .boolean()
    .default(false)
    .describe('Compare without regard to the amount of white space between words.'),
});

const numericSchema = z.strictObject({
  type: z.literal('numeric').describe('The last number of the answer is the expected one.'),
  tolerance: z
    .number()
    .min(0)
    .default(1e-6)
    .describe('Largest difference, relative to the expected number if that is above 1.'),
});

const isRegExp = (source: string, flags: string): boolean => {
  try {
    return new RegExp(source, flags) instanceof RegExp;
  } catch {
    return false;
  }
};

const regexSchema = z
  .strictObject({
    type: z.literal('regex').describe('The answer matches a regular expression.'),
    pattern: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Regular expression of JavaScript that the answer must match somewhere. Default: the expected answer of each task is its pattern.',
      ),
    flags: z
      .string()
      .regex(/^[imsu]*$/)
      .default('u')
      .describe('Flags of the regular expression: i, m, s and u.'),
  })
  .superRefine(({ pattern, flags }, context) => {
    if (pattern === undefined || isRegExp(pattern, flags)) return;
    context.addIssue({
      code: 'custom',
      path: ['pattern'],
      message: `expected a regular expression but received '${pattern}'`,
    });
  });

const jsonSchema = z.strictObject({
  type: z.literal('json').describe('The answer is JSON that fits a schema.'),
  schema: z
    .union([z.record(z.string(), z.unknown()), z.boolean()])
    .default({})
    .meta({ typeText: 'JSON schema', description: 'JSON schema. Default: any JSON is valid.' }),
});

const codeShape = () => ({
  language: z
    .enum(['c', 'cpp', 'rust', 'go', 'typescript', 'python'])
    .describe('Programming language of the answers.'),
  flags: z.array(z.string()).default([]).describe('Further arguments of the compiler.'),
  sandbox: sandboxMode(),
});

const runShape = () => ({
  ...codeShape(),
  limits: sandboxLimitsSchema.prefault({}),
});

const compileSchema = z.strictObject({
  type: z.literal('compile').describe('The code of the answer compiles.'),
  ...codeShape(),
});

const runSchema = z.strictObject({
  type: z.literal('run').describe('The program of the answer writes the expected output.'),
  ...runShape(),
  stdinColumn: z
    .string()
    .min(1)
    .default('stdin')
    .describe('Column of the row with the standard input of the program. Default: no input.'),
  whitespace: z
    .enum(['lines', 'words', 'exact'])
    .default('lines')
    .describe(
      'How outputs are compared. lines: without white space at the ends of lines and empty lines at the end. words: ' +
        'with any amount of white space between words. exact: byte for byte.',
    ),
});

const testsSchema = z.strictObject({
  type: z.literal('tests').describe('The code of the answer passes unit tests.'),
  ...runShape(),
  testsColumn: z
    .string()
    .min(1)
    .default('tests')
    .describe('Column of the row with the code of the tests.'),
  placement: z
    .enum(['append', 'file'])
    .default('append')
    .describe(
      'append: the tests follow the code of the answer in one file. file: the tests are the main file, and the code of ' +
        'the answer is a file named answer next to it.',
    ),
});

/** Schema of the options of `createVerifier()`, except for a function. */
export const verifierSchema = z.discriminatedUnion('type', [
  exactSchema,
  numericSchema,
  regexSchema,
  jsonSchema,
  compileSchema,
  runSchema,
  testsSchema,
]);

/** Options of a built-in verifier. docs/verifying.md documents each. */
export type VerifierOptions = z.input<typeof verifierSchema>;
/** The same with every default filled in. */
export type VerifierConfig = z.output<typeof verifierSchema>;
/** The options of one type of verifier with every default filled in. */
export type VerifierConfigOf<T extends VerifierConfig['type']> = Extract<
  VerifierConfig,
  { type: T }
>;

/** A programming language whose code can be verified. */
export type Language = VerifierConfigOf<'compile'>['language'];
